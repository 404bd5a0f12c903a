#include "twofour/core/ops/softmax.h"

#include "twofour/core/autograd.h"
#include "twofour/core/kernels/rows/softmax.h"
#include "twofour/core/ops/check.h"

namespace twofour {
inline namespace ops {
namespace {

/// An op over rows whose gradient needs its own output.
template <typename Forward, typename Backward>
Tensor RowOp(const char* op, const Tensor& x, Forward forward, Backward backward) {
  ops::RequireF32OrF64(op, "x", x);
  const int64_t rows = x.rows(), cols = x.cols();
  Tensor y = Tensor::Empty(x.shape(), x.dtype());
  DispatchF32OrF64(x.dtype(), op, [&](auto zero) {
    using T = decltype(zero);
    forward(rows, cols, x.data<T>(), y.mutable_data<T>());
  });
  autograd::Record(op, {x}, y, [op, rows, cols, backward, saved = autograd::SavedTensor(y)](const Tensor& dy) {
    Tensor dx = Tensor::Empty(dy.shape(), dy.dtype());
    DispatchF32OrF64(dy.dtype(), op, [&](auto zero) {
      using T = decltype(zero);
      backward(rows, cols, saved.Get().data<T>(), dy.data<T>(), dx.mutable_data<T>());
    });
    return std::vector<Tensor>{dx};
  });
  return y;
}

}  // namespace

Tensor Softmax(const Tensor& x) {
  return RowOp(
      "Softmax", x, [](auto... args) { kernels::Softmax(args...); },
      [](auto... args) { kernels::SoftmaxGrad(args...); });
}

Tensor LogSoftmax(const Tensor& x) {
  return RowOp(
      "LogSoftmax", x, [](auto... args) { kernels::LogSoftmax(args...); },
      [](auto... args) { kernels::LogSoftmaxGrad(args...); });
}

}  // namespace ops
}  // namespace twofour
