#include "twofour/sparse/prune/require_layer.h"

#include <fmt/format.h>

#include "twofour/core/error.h"
#include "twofour/core/ops/check.h"

namespace twofour::sparse {

void RequireLayer(std::string_view op, std::string_view name, const Tensor& weight, const Tensor& gram) {
  ops::RequireDType(op, name, weight, DType::kF32);
  ops::RequireDType(op, "gram", gram, DType::kF64);
  if (weight.rank() == 2 && gram.shape() == Shape{weight.dim(1), weight.dim(1)}) return;
  throw Error(fmt::format("{}: a weight of shape {} and a Gram matrix of shape {}, expected [out, in] and [in, in]",
                          name, ToString(weight.shape()), ToString(gram.shape())));
}

}  // namespace twofour::sparse
