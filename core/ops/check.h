#pragma once

#include <cstddef>
#include <string_view>

#include "twofour/core/tensor.h"

namespace twofour {
inline namespace ops {

// Checks at the beginning of every op. Each throws Error naming the op, what it got and what it expected.

void RequireDefined(std::string_view op, std::string_view name, const Tensor& tensor);
/// Defined and of this dtype.
void RequireDType(std::string_view op, std::string_view name, const Tensor& tensor, DType dtype);
/// Defined and f64, f32, f16 or bf16.
void RequireFloating(std::string_view op, std::string_view name, const Tensor& tensor);
/// Defined and f32 or f64.
void RequireF32OrF64(std::string_view op, std::string_view name, const Tensor& tensor);
/// Of the given dtype and shape.
void RequireLike(std::string_view op, std::string_view name, const Tensor& tensor, DType dtype, const Shape& shape);
/// The same dtype as `reference`, and the given shape.
inline void RequireLike(std::string_view op, std::string_view name, const Tensor& tensor, const Tensor& reference,
                        const Shape& shape) {
  RequireLike(op, name, tensor, reference.dtype(), shape);
}
/// The index of a dimension of the tensor; a negative axis counts from the end.
size_t RequireAxis(std::string_view op, std::string_view name, const Tensor& tensor, int axis);
/// The number of `targets` (i32) other than `ignore_index`; each of those must be a class in [0, classes).
int64_t CountTargets(std::string_view op, const Tensor& targets, int64_t classes, int32_t ignore_index);

/// Finite and above 0 as ops on this floating dtype compute with it: as a double for f64, and as a float for the
/// others.
void RequirePositive(std::string_view op, std::string_view name, double value, DType dtype);

/// The elements, or null for an undefined tensor.
template <typename T>
const T* DataOrNull(const Tensor& tensor) {
  return tensor.defined() ? tensor.data<T>() : nullptr;
}
template <typename T>
T* MutableDataOrNull(Tensor& tensor) {
  return tensor.defined() ? tensor.mutable_data<T>() : nullptr;
}

}  // namespace ops
}  // namespace twofour
