#pragma once

#include "twofour/core/tensor.h"

namespace twofour {
inline namespace ops {

/// Rotary position embedding: turns the pairs (x[i], x[i + half]) of x [batch, T, heads, head_size], half = head_size /
/// 2, by angles (first_position + t) * base^(-2i / head_size):
///     y[i] = x[i] cos + x[i + half] sin;  y[i + half] = -x[i] sin + x[i + half] cos
/// (nanochat's sign; Su et al., "RoFormer", 2021). head_size must be even.
Tensor Rotary(const Tensor& x, double base = 10000.0, int64_t first_position = 0);

}  // namespace ops
}  // namespace twofour
