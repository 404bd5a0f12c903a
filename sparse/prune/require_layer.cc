#include "twofour/sparse/prune/require_layer.h"

#include <fmt/format.h>

#include "twofour/core/error.h"
#include "twofour/core/kernels/elements/reduce.h"
#include "twofour/core/ops/check.h"
#include "twofour/sparse/prune/dampened_gram.h"

namespace twofour::sparse {

void CheckByGram(std::string_view method, const PruningPattern& pattern, double dampening, const FieldPath& at,
                 Faults& faults) {
  Check(pattern, at.In("pattern"), faults);
  faults.Expect(pattern.scope != PruningScope::kModel, at("pattern"), pattern.ToString(),
                fmt::format("a scope within one weight, because {} prunes weights one after another", method));
  faults.Between(at("dampening"), dampening, 0, kMostDampening);
}

void RequireLayer(std::string_view op, std::string_view name, const Tensor& weight, const Tensor& gram) {
  ops::RequireDType(op, name, weight, DType::kF32);
  ops::RequireDType(op, "gram", gram, DType::kF64);
  if (weight.rank() == 2 && weight.numel() == 0) {
    throw Error(fmt::format("{}: shape {}, expected at least one row and one column", name, ToString(weight.shape())));
  }
  if (weight.rank() == 2 && gram.shape() == Shape{weight.dim(1), weight.dim(1)}) return;
  throw Error(fmt::format("{}: a weight of shape {} and a Gram matrix of shape {}, expected [out, in] and [in, in]",
                          name, ToString(weight.shape()), ToString(gram.shape())));
}

void RequireHeld(const Tensor& pruned, std::string_view name) {
  const int64_t at = kernels::FindNonFinite(pruned.numel(), pruned.data<float>()), cols = pruned.dim(1);
  if (at < 0) return;
  throw Error(fmt::format("{}: element [{}, {}] of the pruned weight is more than a 32-bit float can hold, expected "
                          "smaller weights",
                          name, at / cols, at % cols),
              ErrorKind::kRuntimeFailure);
}

}  // namespace twofour::sparse
