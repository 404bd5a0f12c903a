#include "twofour/core/ops/activation.h"

#include "twofour/core/autograd.h"
#include "twofour/core/kernels/elementwise.h"
#include "twofour/core/ops/check.h"

namespace twofour {
namespace {

/// An op y = f(x) whose gradient needs x. `forward(n, x, y)` and `backward(n, x, dy, dx)` call the
/// kernels.
template <typename Forward, typename Backward>
Tensor Activation(const char* op, const Tensor& x, Forward forward, Backward backward) {
  ops::RequireFloating(op, "x", x);
  Tensor y = Tensor::Empty(x.shape(), x.dtype());
  DispatchFloating(x.dtype(), op, [&](auto zero) {
    using T = decltype(zero);
    forward(x.numel(), x.data<T>(), y.mutable_data<T>());
  });
  autograd::Record(op, {x}, y, [op, backward, saved = autograd::SavedTensor(x)](const Tensor& dy) {
    Tensor dx = Tensor::Empty(dy.shape(), dy.dtype());
    DispatchFloating(dy.dtype(), op, [&](auto zero) {
      using T = decltype(zero);
      backward(dy.numel(), saved.Get().data<T>(), dy.data<T>(), dx.mutable_data<T>());
    });
    return std::vector<Tensor>{dx};
  });
  return y;
}

}  // namespace

Tensor Relu(const Tensor& x) {
  return Activation(
      "Relu", x, [](auto... args) { kernels::Relu(args...); }, [](auto... args) { kernels::ReluGrad(args...); });
}

Tensor ReluSquared(const Tensor& x) {
  return Activation(
      "ReluSquared", x, [](auto... args) { kernels::ReluSquared(args...); },
      [](auto... args) { kernels::ReluSquaredGrad(args...); });
}

Tensor Gelu(const Tensor& x) {
  return Activation(
      "Gelu", x, [](auto... args) { kernels::Gelu(args...); }, [](auto... args) { kernels::GeluGrad(args...); });
}

}  // namespace twofour
