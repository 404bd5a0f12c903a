#include "twofour/nn/density.h"

#include "twofour/core/kernels/elements/reduce.h"

namespace twofour::nn {

double NonZeroShare(const Tensor& tensor) {
  if (tensor.numel() == 0) return 1;
  return static_cast<double>(kernels::CountNonZero(tensor.numel(), tensor.data<float>())) /
         static_cast<double>(tensor.numel());
}

}  // namespace twofour::nn
