#include "twofour/core/ops/bias_grad.h"

#include "twofour/core/dtype.h"
#include "twofour/core/kernels/elements/reduce.h"

namespace twofour {
inline namespace ops {

Tensor BiasGrad(const Tensor& dy) {
  const Tensor rows = dy.dtype() == DType::kF16 ? dy.To(DType::kF32) : dy;
  Tensor sums = Tensor::Empty({rows.cols()}, ComputeDType(rows.dtype()));
  DispatchF32F64OrBF16(rows.dtype(), "BiasGrad", [&](auto zero) {
    using T = decltype(zero);
    kernels::ColumnSums<T>(rows.rows(), rows.cols(), rows.data<T>(), sums.mutable_data<ComputeType<T>>());
  });
  return sums;
}

}  // namespace ops
}  // namespace twofour
