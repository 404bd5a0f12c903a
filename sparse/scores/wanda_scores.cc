#include "twofour/sparse/scores/each_score.h"
#include "twofour/sparse/scores/weight_scores.h"

namespace twofour::sparse {

Tensor WandaScores(const Tensor& weight, const InputStatistics& inputs) {
  const Tensor norms = inputs.Norms();
  const float* const norm = norms.data<float>();
  return ScoresByColumn(weight, [norm](double w, int64_t col) { return w * static_cast<double>(norm[col]); });
}

}  // namespace twofour::sparse
