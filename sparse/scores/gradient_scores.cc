#include "twofour/sparse/scores/each_score.h"
#include "twofour/sparse/scores/weight_scores.h"

namespace twofour::sparse {

Tensor GradientScores(const Tensor& weight, const GradientStatistics& gradients) {
  const Tensor means = gradients.MeanMagnitudes();
  const float* const mean = means.data<float>();
  return ScoresByElement(weight, [mean](double w, int64_t i) { return w * static_cast<double>(mean[i]); });
}

}  // namespace twofour::sparse
