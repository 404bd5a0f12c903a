#include "twofour/core/ops/arithmetic.h"

#include <fmt/format.h>

#include <algorithm>

#include "twofour/core/autograd.h"
#include "twofour/core/error.h"
#include "twofour/core/kernels/elements/elementwise.h"
#include "twofour/core/kernels/elements/reduce.h"
#include "twofour/core/ops/check.h"
#include "twofour/core/ops/in_f32.h"

namespace twofour {
inline namespace ops {
namespace {

using autograd::SavedTensor;

Tensor Scaled(const Tensor& x, double factor) {
  Tensor out = Tensor::Empty(x.shape(), x.dtype());
  DispatchF32F64OrBF16(x.dtype(), "Scale", [&](auto zero) {
    using T = decltype(zero);
    kernels::Scale<T>(x.numel(), static_cast<ComputeType<T>>(factor), x.data<T>(), out.mutable_data<T>());
  });
  return out;
}

Tensor Product(const Tensor& a, const Tensor& b) {
  Tensor out = Tensor::Empty(a.shape(), a.dtype());
  DispatchF32F64OrBF16(a.dtype(), "Mul", [&](auto zero) {
    using T = decltype(zero);
    kernels::Mul<T>(a.numel(), a.data<T>(), b.data<T>(), out.mutable_data<T>());
  });
  return out;
}

/// factor * sum(x), with gradient factor for every element.
Tensor ScaledSum(const char* op, const Tensor& x, double factor) {
  ops::RequireF32OrF64(op, "x", x);
  double sum = 0;
  DispatchF32OrF64(x.dtype(), op, [&](auto zero) { sum = kernels::Sum(x.numel(), x.data<decltype(zero)>()); });
  Tensor out = Tensor::Scalar(factor * sum, x.dtype());
  autograd::Record(op, {x}, out, [shape = x.shape(), factor](const Tensor& dy) {
    return std::vector<Tensor>{Tensor::Full(shape, dy.item() * factor, dy.dtype())};
  });
  return out;
}

/// `shape` with the true size in place of a -1.
Shape InferSize(const Tensor& x, Shape shape) {
  const Shape asked = shape;
  const auto inferred = std::find(shape.begin(), shape.end(), -1);
  const bool infer = inferred != shape.end();
  if (infer) *inferred = 1;
  const bool valid = std::all_of(shape.begin(), shape.end(), [](int64_t size) { return size >= 0; });
  const int64_t rest = valid ? NumElements(shape) : 0;
  if (infer && rest > 0) *inferred = x.numel() / rest;
  if (!valid || (infer && rest == 0) || NumElements(shape) != x.numel()) {
    throw Error(
        fmt::format("Reshape: x has shape {}, which cannot become {}: expected {} elements, at most one size -1",
                    ToString(x.shape()), ToString(asked), x.numel()));
  }
  return shape;
}

}  // namespace

Tensor Add(const Tensor& a, const Tensor& b) {
  ops::RequireFloating("Add", "a", a);
  ops::RequireLike("Add", "b", b, a, a.shape());
  if (a.dtype() == DType::kF16) return ops::InF32(Add, a, b);
  Tensor out = Tensor::Empty(a.shape(), a.dtype());
  DispatchF32F64OrBF16(a.dtype(), "Add", [&](auto zero) {
    using T = decltype(zero);
    kernels::Add<T>(a.numel(), a.data<T>(), b.data<T>(), out.mutable_data<T>());
  });
  autograd::Record("Add", {a, b}, out, [](const Tensor& dy) { return std::vector<Tensor>{dy, dy}; });
  return out;
}

Tensor Mul(const Tensor& a, const Tensor& b) {
  ops::RequireFloating("Mul", "a", a);
  ops::RequireLike("Mul", "b", b, a, a.shape());
  if (a.dtype() == DType::kF16) return ops::InF32(Mul, a, b);
  Tensor out = Product(a, b);
  autograd::Record("Mul", {a, b}, out,
                   [sa = SavedTensor(a), sb = SavedTensor(b), need_a = a.requires_grad(),
                    need_b = b.requires_grad()](const Tensor& dy) {
                     return std::vector<Tensor>{need_a ? Product(dy, sb.Get()) : Tensor(),
                                                need_b ? Product(dy, sa.Get()) : Tensor()};
                   });
  return out;
}

Tensor Scale(const Tensor& x, double factor) {
  ops::RequireFloating("Scale", "x", x);
  if (x.dtype() == DType::kF16) return ops::InF32([factor](const Tensor& wide) { return Scale(wide, factor); }, x);
  Tensor out = Scaled(x, factor);
  autograd::Record("Scale", {x}, out, [factor](const Tensor& dy) { return std::vector<Tensor>{Scaled(dy, factor)}; });
  return out;
}

Tensor Sum(const Tensor& x) { return ScaledSum("Sum", x, 1.0); }

Tensor Mean(const Tensor& x) {
  ops::RequireF32OrF64("Mean", "x", x);
  return ScaledSum("Mean", x, x.numel() == 0 ? 0.0 : 1.0 / static_cast<double>(x.numel()));
}

Tensor Reshape(const Tensor& x, Shape shape) {
  if (!x.defined()) throw Error("Reshape: x is undefined");
  Tensor out = x.View(InferSize(x, std::move(shape)));
  autograd::Record("Reshape", {x}, out,
                   [from = x.shape()](const Tensor& dy) { return std::vector<Tensor>{dy.View(from)}; });
  return out;
}

}  // namespace ops
}  // namespace twofour
