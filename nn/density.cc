#include "twofour/nn/density.h"

#include "twofour/core/dtype.h"
#include "twofour/core/kernels/elements/reduce.h"
#include "twofour/core/ops/check.h"

namespace twofour::nn {

double NonZeroShare(const Tensor& tensor) {
  ops::RequireFloating("NonZeroShare", "tensor", tensor);
  if (tensor.numel() == 0) return 1;
  const Tensor values = IsHalf(tensor.dtype()) ? tensor.To(DType::kF32) : tensor;
  int64_t count = 0;
  DispatchF32OrF64(values.dtype(), "NonZeroShare",
                   [&](auto zero) { count = kernels::CountNonZero(values.numel(), values.data<decltype(zero)>()); });
  return static_cast<double>(count) / static_cast<double>(values.numel());
}

}  // namespace twofour::nn
