#include "twofour/sparse/finite_weight.h"

#include <fmt/format.h>

#include "twofour/core/error.h"
#include "twofour/core/kernels/elements/reduce.h"
#include "twofour/core/ops/check.h"

namespace twofour::sparse {

void RequireFinite(const Tensor& weight, std::string_view name) {
  ops::RequireDType("RequireFinite", name, weight, DType::kF32);
  const float* w = weight.data<float>();
  const int64_t at = kernels::FindNonFinite(weight.numel(), w);
  if (at < 0) return;
  const int64_t cols = weight.dim(1);
  throw Error(fmt::format("{}: element [{}, {}] is {}, a mask needs finite values", name, at / cols, at % cols, w[at]),
              ErrorKind::kRuntimeFailure);
}

}  // namespace twofour::sparse
