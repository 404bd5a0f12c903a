#include "twofour/core/ops/arithmetic.h"

#include "twofour/core/autograd.h"
#include "twofour/core/kernels/elements/elementwise.h"
#include "twofour/core/ops/broadcast.h"
#include "twofour/core/ops/check.h"
#include "twofour/core/ops/in_f32.h"

namespace twofour {
inline namespace ops {
namespace {

using autograd::SavedTensor;

// Calls of kernels, for elements of equal shapes and for stretched ones.
constexpr auto kAdd = [](auto... args) { kernels::Add(args...); };
constexpr auto kSub = [](auto... args) { kernels::Sub(args...); };
constexpr auto kMul = [](auto... args) { kernels::Mul(args...); };
constexpr auto kDiv = [](auto... args) { kernels::Div(args...); };

void CheckOperands(const char* op, const Tensor& a, const Tensor& b) {
  ops::RequireFloating(op, "a", a);
  ops::RequireDType(op, "b", b, a.dtype());
}

/// kernel(a, b), not recorded. Of f32, f64 or bf16.
template <typename Kernel>
Tensor Elementwise(const char* op, const Tensor& a, const Tensor& b, Kernel kernel) {
  const bool equal = a.shape() == b.shape();
  Tensor out = Tensor::Empty(equal ? a.shape() : BroadcastShape(op, a, b), a.dtype());
  DispatchF32F64OrBF16(a.dtype(), op, [&](auto zero) {
    using T = decltype(zero);
    const T *const from_a = a.data<T>(), *const from_b = b.data<T>();
    T* const to = out.mutable_data<T>();
    if (equal) {
      kernel(a.numel(), from_a, from_b, to);
    } else {
      kernel(kernels::PlanBroadcast(out.shape(), a.shape(), b.shape()), from_a, from_b, to);
    }
  });
  return out;
}

Tensor Scaled(const Tensor& x, double factor) {
  Tensor out = Tensor::Empty(x.shape(), x.dtype());
  DispatchF32F64OrBF16(x.dtype(), "Scale", [&](auto zero) {
    using T = decltype(zero);
    kernels::Scale<T>(x.numel(), static_cast<ComputeType<T>>(factor), x.data<T>(), out.mutable_data<T>());
  });
  return out;
}

}  // namespace

Tensor Add(const Tensor& a, const Tensor& b) {
  CheckOperands("Add", a, b);
  if (a.dtype() == DType::kF16) return ops::InF32(Add, a, b);
  Tensor out = Elementwise("Add", a, b, kAdd);
  autograd::Record(
      "Add", {a, b}, out,
      [shape_a = a.shape(), shape_b = b.shape(), need_a = a.requires_grad(),
       need_b = b.requires_grad()](const Tensor& dy) {
        return std::vector<Tensor>{need_a ? SumTo(dy, shape_a) : Tensor(), need_b ? SumTo(dy, shape_b) : Tensor()};
      });
  return out;
}

Tensor Sub(const Tensor& a, const Tensor& b) {
  CheckOperands("Sub", a, b);
  if (a.dtype() == DType::kF16) return ops::InF32(Sub, a, b);
  Tensor out = Elementwise("Sub", a, b, kSub);
  autograd::Record("Sub", {a, b}, out,
                   [shape_a = a.shape(), shape_b = b.shape(), need_a = a.requires_grad(),
                    need_b = b.requires_grad()](const Tensor& dy) {
                     return std::vector<Tensor>{need_a ? SumTo(dy, shape_a) : Tensor(),
                                                need_b ? Scaled(SumTo(dy, shape_b), -1.0) : Tensor()};
                   });
  return out;
}

Tensor Mul(const Tensor& a, const Tensor& b) {
  CheckOperands("Mul", a, b);
  // A gradient that is summed over what was stretched must not be rounded before.
  const bool widen = a.dtype() == DType::kF16 || (IsHalf(a.dtype()) && a.shape() != b.shape());
  if (widen) return ops::InF32(Mul, a, b);
  Tensor out = Elementwise("Mul", a, b, kMul);
  autograd::Record("Mul", {a, b}, out,
                   [sa = SavedTensor(a), sb = SavedTensor(b), need_a = a.requires_grad(),
                    need_b = b.requires_grad()](const Tensor& dy) {
                     const Tensor &x = sa.Get(), &y = sb.Get();
                     return std::vector<Tensor>{need_a ? SumTo(Elementwise("Mul", dy, y, kMul), x.shape()) : Tensor(),
                                                need_b ? SumTo(Elementwise("Mul", dy, x, kMul), y.shape()) : Tensor()};
                   });
  return out;
}

Tensor Div(const Tensor& a, const Tensor& b) {
  CheckOperands("Div", a, b);
  if (IsHalf(a.dtype())) return ops::InF32(Div, a, b);  // The gradient of b takes three steps.
  Tensor out = Elementwise("Div", a, b, kDiv);
  autograd::Record("Div", {a, b}, out,
                   [shape_a = a.shape(), need_a = a.requires_grad(), need_b = b.requires_grad(),
                    sa = SavedTensor(b.requires_grad() ? a : Tensor()), sb = SavedTensor(b)](const Tensor& dy) {
                     // d(a/b)/db = -(a/b)/b.
                     const Tensor &y = sb.Get(), by_a = Elementwise("Div", dy, y, kDiv);
                     Tensor by_b;
                     if (need_b) {
                       const Tensor quotient = Elementwise("Div", sa.Get(), y, kDiv);
                       by_b = Scaled(SumTo(Elementwise("Mul", by_a, quotient, kMul), y.shape()), -1.0);
                     }
                     return std::vector<Tensor>{need_a ? SumTo(by_a, shape_a) : Tensor(), by_b};
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

}  // namespace ops
}  // namespace twofour
