#pragma once

#include <string_view>

#include "twofour/core/tensor.h"
#include "twofour/sparse/prune/gradient_statistics.h"
#include "twofour/sparse/prune/input_statistics.h"
#include "twofour/sparse/scores/mask_score.h"

namespace twofour::sparse {

/// Throws Error, naming `name`, unless a score can be made of these: `weight` is f32 [out, in], and of inputs and
/// gradients what the score needs (NeedsOf) is there, has samples and fits the weight. Throws Error (a runtime failure)
/// if a weight is not finite.
void RequireInputs(MaskScore score, const Tensor& weight, const InputStatistics* inputs,
                   const GradientStatistics* gradients, std::string_view name);

/// Throws Error (a runtime failure), naming `name`, if one of `scores` [out, in] is more than a float can hold.
void RequireScoresHeld(MaskScore score, const Tensor& scores, std::string_view name);

}  // namespace twofour::sparse
