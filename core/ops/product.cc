#include "twofour/core/ops/product.h"

#include <cassert>
#include <utility>

#include "twofour/core/ops/check.h"

namespace twofour {
inline namespace ops {
namespace {

template <typename F>
void DispatchF32OrHalf(DType dtype, F&& function) {
  if (dtype == DType::kF16) return function(Float16{});
  if (dtype == DType::kBF16) return function(BFloat16{});
  assert(dtype == DType::kF32);
  function(float{});
}

}  // namespace

Tensor Product(kernels::Transpose transpose_a, kernels::Transpose transpose_b, int64_t m, int64_t n, int64_t k,
               const Tensor& a, const Tensor& b, Shape shape, DType dtype, const Tensor& bias) {
  Tensor out = Tensor::Empty(std::move(shape), dtype);
  const auto multiply = [&](auto a_zero, auto b_zero, auto out_zero) {
    using C = decltype(out_zero);
    kernels::Gemm(transpose_a, transpose_b, m, n, k, a.data<decltype(a_zero)>(), b.data<decltype(b_zero)>(),
                  out.mutable_data<C>(), DataOrNull<kernels::GemmSum<C>>(bias));
  };
  if (dtype == DType::kF64) {
    multiply(double{}, double{}, double{});
    return out;
  }
  DispatchF32OrHalf(a.dtype(), [&](auto a_zero) {
    DispatchF32OrHalf(b.dtype(), [&](auto b_zero) {
      DispatchF32OrHalf(dtype, [&](auto out_zero) { multiply(a_zero, b_zero, out_zero); });
    });
  });
  return out;
}

}  // namespace ops
}  // namespace twofour
