#pragma once

#include "twofour/core/tensor.h"

namespace twofour {
inline namespace ops {

/// Rows of `weight` [entries, features] at `indices` (i32, any shape): result [...indices' shape,
/// features]. Throws Error naming an index outside [0, entries). Gradients of equal indices add up.
Tensor Embedding(const Tensor& indices, const Tensor& weight);

}  // namespace ops
}  // namespace twofour
