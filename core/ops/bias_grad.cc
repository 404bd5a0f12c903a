#include "twofour/core/ops/bias_grad.h"

#include "twofour/core/dtype.h"
#include "twofour/core/kernels/elements/reduce.h"

namespace twofour {
inline namespace ops {

Tensor BiasGrad(const Tensor& dy) {
  const Tensor rows = IsHalf(dy.dtype()) ? dy.To(DType::kF32) : dy;
  Tensor sums = Tensor::Empty({rows.cols()}, rows.dtype());
  DispatchF32OrF64(rows.dtype(), "BiasGrad", [&](auto zero) {
    using T = decltype(zero);
    kernels::ColumnSums<T>(rows.rows(), rows.cols(), rows.data<T>(), sums.mutable_data<T>());
  });
  return sums;
}

}  // namespace ops
}  // namespace twofour
