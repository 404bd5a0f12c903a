#pragma once

#include "twofour/core/faults.h"
#include "twofour/core/tensor.h"

namespace twofour {
inline namespace ops {

/// Makes rotary positions slower for texts longer than those of training, as Llama 3.1 does: pairs that turn more than
/// high_frequency_factor times within original_length tokens stay as they are, those that turn less than
/// low_frequency_factor times become slower by `factor`, and the factor of those in between follows a line in the
/// number of turns (Grattafiori et al., "The Llama 3 Herd of Models", 2024; transformers' rope type "llama3").
struct RotaryScaling {
  double factor = 1;  ///< 1: no scaling.
  double low_frequency_factor = 1, high_frequency_factor = 4;
  int64_t original_length = 0;  ///< 0: every pair becomes slower ("linear": Chen et al., 2023).
};

struct RotaryOptions {
  double base = 10000;
  /// False: pairs turn as in nanochat, by the negative angle. True: as in RoFormer and Llama.
  bool counterclockwise = false;
  RotaryScaling scaling = {};
};

/// Rotary position embedding: turns the pairs (x[i], x[i + half]) of x [batch, T, heads, head_size], half = head_size /
/// 2, by angles a = (first_position + t) * base^(-2i / head_size), which the scaling makes smaller:
///     y[i] = x[i] cos a + x[i + half] sin a;  y[i + half] = -x[i] sin a + x[i + half] cos a
/// or, counterclockwise, by -a (Su et al., "RoFormer", 2021). head_size must be even. Throws Error on options that
/// Check finds fault with.
Tensor Rotary(const Tensor& x, const RotaryOptions& options, int64_t first_position = 0);
/// The same with that base.
Tensor Rotary(const Tensor& x, double base = 10000.0, int64_t first_position = 0);

/// Rules: the base is finite and positive. The scaling's factor is at least 1. Its other factors are positive, the high
/// one above the low one. original_length is not negative.
void Check(const RotaryOptions& options, const FieldPath& at, Faults& faults);

}  // namespace ops
}  // namespace twofour
