#include "twofour/sparse/scores/weight_scores.h"

namespace twofour::sparse {

Tensor RandomScores(const Shape& shape, const RandomKey& key) {
  Tensor scores = Tensor::Empty(shape);
  FillUniform(scores, 0, 1, key);
  return scores;
}

}  // namespace twofour::sparse
