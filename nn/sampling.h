#pragma once

#include <cstdint>
#include <span>

#include "twofour/core/faults.h"

namespace twofour::nn {

struct SamplingOptions {
  double temperature = 1.0;  ///< 0: always the largest logit.
  int64_t top_k = 0;         ///< Keeps this many of the largest logits; 0: all.
  double top_p = 1.0;        ///< Of these, keeps the fewest most likely ones that together have this probability.
};

/// Rules: temperature is finite, nothing is negative, and top_p is in (0, 1].
void Check(const SamplingOptions& options, const FieldPath& at, Faults& faults);

/// Draws an index from softmax(logits / temperature). It first keeps the top_k largest logits, and of these the
/// smallest set of most likely ones whose probabilities (among the top_k) reach top_p: Holtzman et al., "The Curious
/// Case of Neural Text Degeneration", 2020. Ties go to the lower index, and sums are in double. `uniform` in [0, 1)
/// decides: the kept indices divide that interval among themselves in ascending order. Throws Error if options or
/// `uniform` are out of range, if there are no logits, if a logit is NaN or +inf, and if all are -inf.
int32_t SampleToken(std::span<const float> logits, const SamplingOptions& options, double uniform);

}  // namespace twofour::nn
