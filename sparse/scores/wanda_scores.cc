#include "twofour/sparse/scores/each_score.h"
#include "twofour/sparse/scores/require_inputs.h"
#include "twofour/sparse/scores/weight_scores.h"

namespace twofour::sparse {

Tensor WandaScores(const Tensor& weight, const InputStatistics& inputs, std::string_view name) {
  RequireInputs(MaskScore::kWanda, weight, &inputs, nullptr, name);
  const Tensor norms = inputs.Norms(name);
  const float* const norm = norms.data<float>();
  return ScoresByColumn(MaskScore::kWanda, weight, name,
                        [norm](double w, int64_t col) { return w * static_cast<double>(norm[col]); });
}

}  // namespace twofour::sparse
