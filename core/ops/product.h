#pragma once

#include <cstdint>

#include "twofour/core/kernels/gemm/gemm.h"
#include "twofour/core/tensor.h"

namespace twofour {
inline namespace ops {

/// op(a) op(b) with op(a) [m, k] and op(b) [k, n], both contiguous, as a tensor of `shape` and `dtype`. Either all
/// three are f64, or each of them is f32, f16 or bf16: see kernels::GemmProblem. `bias` [n], which may be undefined, is
/// added to each row before it is rounded; it is f64 beside f64, and else f32.
Tensor Product(kernels::Transpose transpose_a, kernels::Transpose transpose_b, int64_t m, int64_t n, int64_t k,
               const Tensor& a, const Tensor& b, Shape shape, DType dtype, const Tensor& bias = {});

}  // namespace ops
}  // namespace twofour
