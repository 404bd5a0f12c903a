#pragma once

#include <optional>

#include "twofour/core/tensor.h"

namespace twofour {
inline namespace ops {

/// Rows of `weight` [entries, features] at `indices` (i32, any shape): result [...indices' shape,
/// features]. The result has the dtype of the weight, or `dtype`, to which the rows are rounded: f16 or bf16 beside a
/// weight of f32. The gradient of the weight has the weight's dtype. Throws Error naming an index outside [0, entries).
/// Gradients of equal indices add up.
Tensor Embedding(const Tensor& indices, const Tensor& weight, std::optional<DType> dtype = std::nullopt);

}  // namespace ops
}  // namespace twofour
