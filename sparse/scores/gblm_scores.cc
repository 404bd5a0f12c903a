#include "twofour/sparse/scores/each_score.h"
#include "twofour/sparse/scores/require_inputs.h"
#include "twofour/sparse/scores/weight_scores.h"

namespace twofour::sparse {

Tensor GblmScores(const Tensor& weight, const InputStatistics& inputs, const GradientStatistics& gradients, double a,
                  std::string_view name) {
  RequireInputs(MaskScore::kGblm, weight, &inputs, &gradients, name);
  const Tensor norms = inputs.Norms(name), gradient_norms = gradients.Norms(name);
  const float *const norm = norms.data<float>(), *const gradient = gradient_norms.data<float>();
  const int64_t cols = weight.dim(1);
  return ScoresByElement(MaskScore::kGblm, weight, name, [=](double w, int64_t i) {
    return w * static_cast<double>(norm[i % cols]) + a * w * static_cast<double>(gradient[i]);
  });
}

}  // namespace twofour::sparse
