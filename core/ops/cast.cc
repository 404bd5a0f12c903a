#include "twofour/core/ops/cast.h"

#include "twofour/core/autograd.h"
#include "twofour/core/error.h"
#include "twofour/core/kernels/elements/convert.h"

namespace twofour {
inline namespace ops {

Tensor Cast(const Tensor& x, DType dtype) {
  if (!x.defined()) throw Error("Cast: x is undefined");
  if (x.dtype() == dtype) return x;
  Tensor y = Tensor::Empty(x.shape(), dtype);
  kernels::Convert(x.numel(), x.dtype(), x.raw(), dtype, y.mutable_raw());
  if (IsFloating(dtype)) {
    autograd::Record("Cast", {x}, y,
                     [from = x.dtype()](const Tensor& dy) { return std::vector<Tensor>{Cast(dy, from)}; });
  }
  return y;
}

}  // namespace ops
}  // namespace twofour
