#include "twofour/sparse/scores/each_score.h"
#include "twofour/sparse/scores/weight_scores.h"

namespace twofour::sparse {

Tensor ActivationScores(const Tensor& weight, const InputStatistics& inputs) {
  const Tensor means = inputs.MeanMagnitudes();
  const float* const mean = means.data<float>();
  return ScoresByColumn(weight, [mean](double w, int64_t col) { return w * static_cast<double>(mean[col]); });
}

}  // namespace twofour::sparse
