#include "twofour/sparse/scores/each_score.h"
#include "twofour/sparse/scores/require_inputs.h"
#include "twofour/sparse/scores/weight_scores.h"

namespace twofour::sparse {

Tensor GradientScores(const Tensor& weight, const GradientStatistics& gradients, std::string_view name) {
  RequireInputs(MaskScore::kGradient, weight, nullptr, &gradients, name);
  const Tensor means = gradients.MeanMagnitudes();
  const float* const mean = means.data<float>();
  return ScoresByElement(MaskScore::kGradient, weight, name,
                         [mean](double w, int64_t i) { return w * static_cast<double>(mean[i]); });
}

}  // namespace twofour::sparse
