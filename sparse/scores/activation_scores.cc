#include "twofour/sparse/scores/each_score.h"
#include "twofour/sparse/scores/require_inputs.h"
#include "twofour/sparse/scores/weight_scores.h"

namespace twofour::sparse {

Tensor ActivationScores(const Tensor& weight, const InputStatistics& inputs, std::string_view name) {
  RequireInputs(MaskScore::kActivation, weight, &inputs, nullptr, name);
  const Tensor means = inputs.MeanMagnitudes();
  const float* const mean = means.data<float>();
  return ScoresByColumn(MaskScore::kActivation, weight, name,
                        [mean](double w, int64_t col) { return w * static_cast<double>(mean[col]); });
}

}  // namespace twofour::sparse
