#include "twofour/sparse/scores/each_score.h"
#include "twofour/sparse/scores/require_inputs.h"
#include "twofour/sparse/scores/weight_scores.h"

namespace twofour::sparse {

Tensor HessianScores(const Tensor& weight, const InputStatistics& inputs, std::string_view name) {
  RequireInputs(MaskScore::kHessian, weight, &inputs, nullptr, name);
  const Tensor norms = inputs.Norms(name);
  const float* const norm = norms.data<float>();
  return ScoresByColumn(MaskScore::kHessian, weight, name, [norm](double w, int64_t col) {
    const double root = w * static_cast<double>(norm[col]);
    return root * root / 2;
  });
}

}  // namespace twofour::sparse
