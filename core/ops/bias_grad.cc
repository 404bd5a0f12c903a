#include "twofour/core/ops/bias_grad.h"

#include "twofour/core/dtype.h"
#include "twofour/core/kernels/elements/reduce.h"

namespace twofour::inline ops {

Tensor BiasGrad(const Tensor& dy) {
  Tensor sums = Tensor::Empty({dy.cols()}, dy.dtype());
  DispatchF32OrF64(dy.dtype(), "BiasGrad", [&](auto zero) {
    using T = decltype(zero);
    kernels::ColumnSums<T>(dy.rows(), dy.cols(), dy.data<T>(), sums.mutable_data<T>());
  });
  return sums;
}

}  // namespace twofour::inline ops
