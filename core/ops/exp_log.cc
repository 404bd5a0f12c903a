#include "twofour/core/ops/exp_log.h"

#include "twofour/core/autograd.h"
#include "twofour/core/kernels/elements/activation.h"
#include "twofour/core/kernels/elements/elementwise.h"
#include "twofour/core/ops/check.h"
#include "twofour/core/ops/in_f32.h"

namespace twofour {
inline namespace ops {
namespace {

/// kernel(n, x, out) on the elements of x.
template <typename Kernel>
Tensor Map(const char* op, const Tensor& x, Kernel kernel) {
  Tensor y = Tensor::Empty(x.shape(), x.dtype());
  DispatchF32F64OrBF16(x.dtype(), op, [&](auto zero) {
    using T = decltype(zero);
    kernel(x.numel(), x.data<T>(), y.mutable_data<T>());
  });
  return y;
}

/// kernel(n, dy, saved, dx) on the elements of a gradient and of what was saved for it.
template <typename Kernel>
std::vector<Tensor> Grad(const char* op, const Tensor& dy, const Tensor& saved, Kernel kernel) {
  Tensor dx = Tensor::Empty(dy.shape(), dy.dtype());
  DispatchF32F64OrBF16(dy.dtype(), op, [&](auto zero) {
    using T = decltype(zero);
    kernel(dy.numel(), dy.data<T>(), saved.data<T>(), dx.mutable_data<T>());
  });
  return {dx};
}

}  // namespace

Tensor Exp(const Tensor& x) {
  ops::RequireFloating("Exp", "x", x);
  if (IsHalf(x.dtype())) return ops::InF32(Exp, x);  // A rounded y would not do for the gradient.
  Tensor y = Map("Exp", x, [](auto... args) { kernels::Exp(args...); });
  autograd::Record("Exp", {x}, y, [saved = autograd::SavedTensor(y)](const Tensor& dy) {
    return Grad("Exp", dy, saved.Get(), [](auto... args) { kernels::Mul(args...); });
  });
  return y;
}

Tensor Log(const Tensor& x) {
  ops::RequireFloating("Log", "x", x);
  if (x.dtype() == DType::kF16) return ops::InF32(Log, x);
  Tensor y = Map("Log", x, [](auto... args) { kernels::Log(args...); });
  autograd::Record("Log", {x}, y, [saved = autograd::SavedTensor(x)](const Tensor& dy) {
    return Grad("Log", dy, saved.Get(), [](auto... args) { kernels::Div(args...); });
  });
  return y;
}

}  // namespace ops
}  // namespace twofour
