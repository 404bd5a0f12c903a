#include "twofour/core/ops/reduction.h"

#include "twofour/core/autograd.h"
#include "twofour/core/kernels/elements/reduce.h"
#include "twofour/core/ops/arithmetic.h"
#include "twofour/core/ops/broadcast.h"
#include "twofour/core/ops/check.h"
#include "twofour/core/ops/in_f32.h"

namespace twofour {
inline namespace ops {
namespace {

/// factor * sum(x), with gradient factor for every element.
Tensor ScaledSum(const char* op, const Tensor& x, double factor) {
  if (x.dtype() == DType::kF16) return ops::InF32([=](const Tensor& wide) { return ScaledSum(op, wide, factor); }, x);
  double sum = 0;
  DispatchF32F64OrBF16(x.dtype(), op, [&](auto zero) { sum = kernels::Sum(x.numel(), x.data<decltype(zero)>()); });
  Tensor out = Tensor::Scalar(factor * sum, x.dtype());
  autograd::Record(op, {x}, out, [shape = x.shape(), factor](const Tensor& dy) {
    return std::vector<Tensor>{Tensor::Full(shape, dy.item() * factor, dy.dtype())};
  });
  return out;
}

/// factor * the sums over a dimension, with gradient factor for every element.
Tensor ScaledSum(const char* op, const Tensor& x, size_t axis, bool keep_dim, double factor) {
  if (x.dtype() == DType::kF16) {
    return ops::InF32([=](const Tensor& wide) { return ScaledSum(op, wide, axis, keep_dim, factor); }, x);
  }
  Shape kept = x.shape(), shape = x.shape();
  kept[axis] = 1;
  if (keep_dim) {
    shape[axis] = 1;
  } else {
    shape.erase(shape.begin() + axis);
  }
  const AroundAxis around(x.shape(), axis);
  Tensor sums = Tensor::Empty(shape, ComputeDType(x.dtype()));
  DispatchF32F64OrBF16(x.dtype(), op, [&](auto zero) {
    using T = decltype(zero);
    kernels::SumAxis<T>(around.outer, around.size, around.inner, factor, x.data<T>(),
                        sums.mutable_data<ComputeType<T>>());
  });
  Tensor out = sums.To(x.dtype());
  autograd::Record(op, {x}, out, [full = x.shape(), kept, factor](const Tensor& dy) {
    const NoGradGuard no_grad;
    const Tensor scaled = factor == 1.0 ? dy : Scale(dy, factor);
    return std::vector<Tensor>{Expand(scaled.View(kept), full)};
  });
  return out;
}

double OneOver(int64_t count) { return count == 0 ? 0.0 : 1.0 / static_cast<double>(count); }

}  // namespace

Tensor Sum(const Tensor& x) {
  ops::RequireFloating("Sum", "x", x);
  return ScaledSum("Sum", x, 1.0);
}

Tensor Mean(const Tensor& x) {
  ops::RequireFloating("Mean", "x", x);
  return ScaledSum("Mean", x, OneOver(x.numel()));
}

Tensor Sum(const Tensor& x, int axis, bool keep_dim) {
  ops::RequireFloating("Sum", "x", x);
  return ScaledSum("Sum", x, ops::RequireAxis("Sum", "x", x, axis), keep_dim, 1.0);
}

Tensor Mean(const Tensor& x, int axis, bool keep_dim) {
  ops::RequireFloating("Mean", "x", x);
  const size_t at = ops::RequireAxis("Mean", "x", x, axis);
  return ScaledSum("Mean", x, at, keep_dim, OneOver(x.shape()[at]));
}

}  // namespace ops
}  // namespace twofour
