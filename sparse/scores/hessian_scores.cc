#include "twofour/sparse/scores/each_score.h"
#include "twofour/sparse/scores/weight_scores.h"

namespace twofour::sparse {

Tensor HessianScores(const Tensor& weight, const InputStatistics& inputs) {
  const Tensor norms = inputs.Norms();
  const float* const norm = norms.data<float>();
  return ScoresByColumn(weight, [norm](double w, int64_t col) {
    const double root = w * static_cast<double>(norm[col]);
    return root * root / 2;
  });
}

}  // namespace twofour::sparse
