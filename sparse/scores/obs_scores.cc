#include <string>
#include <vector>

#include "twofour/sparse/prune/dampened_gram.h"
#include "twofour/sparse/scores/each_score.h"
#include "twofour/sparse/scores/require_inputs.h"
#include "twofour/sparse/scores/weight_scores.h"

namespace twofour::sparse {

Tensor ObsScores(const Tensor& weight, const InputStatistics& inputs, double dampening, std::string_view name,
                 std::vector<std::string>* notes) {
  RequireInputs(MaskScore::kObs, weight, &inputs, nullptr, name);
  const DampenedGram gram = FactorDampened(inputs.Gram(), dampening, name);
  if (notes != nullptr) notes->insert(notes->end(), gram.notes.begin(), gram.notes.end());
  const int64_t cols = weight.dim(1);
  const double* const u = gram.inverse_factor.data<double>();
  // The diagonal of H^-1 = U^T U: the squared norms of U's columns.
  std::vector<double> diagonal(static_cast<size_t>(cols));
  for (int64_t row = 0; row < cols; ++row) {
    for (int64_t col = row; col < cols; ++col) {
      diagonal[static_cast<size_t>(col)] += u[row * cols + col] * u[row * cols + col];
    }
  }
  return ScoresByColumn(MaskScore::kObs, weight, name, [&](double w, int64_t col) {
    const auto at = static_cast<size_t>(col);
    return gram.dead[at] ? 0 : w * w / diagonal[at];
  });
}

}  // namespace twofour::sparse
