#include "twofour/core/ops/activation.h"

#include <type_traits>

#include "twofour/core/autograd.h"
#include "twofour/core/kernels/elements/activation.h"
#include "twofour/core/kernels/elements/elementwise.h"
#include "twofour/core/ops/check.h"
#include "twofour/core/ops/in_f32.h"

namespace twofour {
inline namespace ops {
namespace {

/// An op y = f(x) whose gradient needs x. `forward(n, x, y)` and `backward(n, x, dy, dx)` call the
/// kernels.
template <typename Forward, typename Backward>
Tensor Activation(const char* op, const Tensor& x, Forward forward, Backward backward) {
  ops::RequireFloating(op, "x", x);
  if (x.dtype() == DType::kF16) {
    return ops::InF32([&](const Tensor& wide) { return Activation(op, wide, forward, backward); }, x);
  }
  Tensor y = Tensor::Empty(x.shape(), x.dtype());
  DispatchF32F64OrBF16(x.dtype(), op, [&](auto zero) {
    using T = decltype(zero);
    forward(x.numel(), x.data<T>(), y.mutable_data<T>());
  });
  autograd::Record(op, {x}, y, [op, backward, saved = autograd::SavedTensor(x)](const Tensor& dy) {
    Tensor dx = Tensor::Empty(dy.shape(), dy.dtype());
    DispatchF32F64OrBF16(dy.dtype(), op, [&](auto zero) {
      using T = decltype(zero);
      backward(dy.numel(), saved.Get().data<T>(), dy.data<T>(), dx.mutable_data<T>());
    });
    return std::vector<Tensor>{dx};
  });
  return y;
}

/// cap * tanh(x / cap), for a cap that has been checked.
Tensor Capped(const char* op, const Tensor& x, double cap) {
  if (x.dtype() == DType::kF16) return ops::InF32([=](const Tensor& wide) { return Capped(op, wide, cap); }, x);
  Tensor y = Tensor::Empty(x.shape(), x.dtype());
  DispatchF32F64OrBF16(x.dtype(), op, [&](auto zero) {
    using T = decltype(zero);
    kernels::SoftCap<T>(x.numel(), static_cast<ComputeType<T>>(cap), x.data<T>(), y.mutable_data<T>());
  });
  // A y of 16 bits near the cap says too little about 1 - (y / cap)^2.
  const Tensor& kept = IsHalf(x.dtype()) ? x : y;
  autograd::Record(op, {x}, y, [op, cap, saved = autograd::SavedTensor(kept)](const Tensor& dy) {
    Tensor dx = Tensor::Empty(dy.shape(), dy.dtype());
    DispatchF32F64OrBF16(dy.dtype(), op, [&](auto zero) {
      using T = decltype(zero);
      const T* const from = saved.Get().data<T>();
      if constexpr (std::is_same_v<T, BFloat16>) {
        kernels::SoftCapGradOfInput(dy.numel(), static_cast<float>(cap), from, dy.data<T>(), dx.mutable_data<T>());
      } else {
        kernels::SoftCapGrad<T>(dy.numel(), static_cast<T>(cap), from, dy.data<T>(), dx.mutable_data<T>());
      }
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

Tensor GeluTanh(const Tensor& x) {
  return Activation(
      "GeluTanh", x, [](auto... args) { kernels::GeluTanh(args...); },
      [](auto... args) { kernels::GeluTanhGrad(args...); });
}

Tensor Tanh(const Tensor& x) {
  ops::RequireFloating("Tanh", "x", x);
  return Capped("Tanh", x, 1.0);
}

Tensor Sigmoid(const Tensor& x) {
  return Activation(
      "Sigmoid", x, [](auto... args) { kernels::Sigmoid(args...); },
      [](auto... args) { kernels::SigmoidGrad(args...); });
}

Tensor SoftCap(const Tensor& x, double cap) {
  ops::RequireFloating("SoftCap", "x", x);
  ops::RequirePositive("SoftCap", "cap", cap, x.dtype());
  return Capped("SoftCap", x, cap);
}

Tensor SwiGlu(const Tensor& gate, const Tensor& up) {
  ops::RequireFloating("SwiGlu", "gate", gate);
  ops::RequireLike("SwiGlu", "up", up, gate, gate.shape());
  if (gate.dtype() == DType::kF16) return ops::InF32(SwiGlu, gate, up);
  Tensor y = Tensor::Empty(gate.shape(), gate.dtype());
  DispatchF32F64OrBF16(gate.dtype(), "SwiGlu", [&](auto zero) {
    using T = decltype(zero);
    kernels::SwiGlu<T>(gate.numel(), gate.data<T>(), up.data<T>(), y.mutable_data<T>());
  });
  autograd::Record("SwiGlu", {gate, up}, y,
                   [saved_gate = autograd::SavedTensor(gate), saved_up = autograd::SavedTensor(up)](const Tensor& dy) {
                     Tensor dgate = Tensor::Empty(dy.shape(), dy.dtype()), dup = Tensor::Empty(dy.shape(), dy.dtype());
                     DispatchF32F64OrBF16(dy.dtype(), "SwiGlu", [&](auto zero) {
                       using T = decltype(zero);
                       kernels::SwiGluGrad<T>(dy.numel(), saved_gate.Get().data<T>(), saved_up.Get().data<T>(),
                                              dy.data<T>(), dgate.mutable_data<T>(), dup.mutable_data<T>());
                     });
                     return std::vector<Tensor>{dgate, dup};
                   });
  return y;
}

}  // namespace ops
}  // namespace twofour
