#include "twofour/core/ops/rotary.h"

#include <fmt/format.h>

#include <cmath>

#include "twofour/core/autograd.h"
#include "twofour/core/error.h"
#include "twofour/core/kernels/attention/rotary.h"
#include "twofour/core/ops/check.h"
#include "twofour/core/ops/in_f32.h"

namespace twofour {
inline namespace ops {
namespace {

Tensor Turn(const Tensor& x, double base, int64_t first_position, bool back) {
  Tensor y = Tensor::Empty(x.shape(), x.dtype());
  DispatchF32F64OrBF16(x.dtype(), "Rotary", [&](auto zero) {
    using T = decltype(zero);
    kernels::Rotary<T>({.batch = x.dim(0),
                        .positions = x.dim(1),
                        .heads = x.dim(2),
                        .head_size = x.dim(3),
                        .base = base,
                        .first_position = first_position,
                        .back = back},
                       x.data<T>(), y.mutable_data<T>());
  });
  return y;
}

}  // namespace

Tensor Rotary(const Tensor& x, double base, int64_t first_position) {
  ops::RequireFloating("Rotary", "x", x);
  if (x.rank() != 4 || x.dim(3) % 2 != 0) {
    throw Error(fmt::format("Rotary: x has shape {}, expected [batch, T, heads, head_size] with an even head_size",
                            ToString(x.shape())));
  }
  if (!(base > 0) || !std::isfinite(base)) {
    throw Error(fmt::format("Rotary: base {}, expected a finite number above 0", base));
  }
  if (first_position < 0) throw Error(fmt::format("Rotary: first position {}, expected at least 0", first_position));
  if (x.dtype() == DType::kF16) {
    return ops::InF32([=](const Tensor& wide) { return Rotary(wide, base, first_position); }, x);
  }
  Tensor y = Turn(x, base, first_position, false);
  autograd::Record("Rotary", {x}, y, [base, first_position](const Tensor& dy) {
    return std::vector<Tensor>{Turn(dy, base, first_position, true)};
  });
  return y;
}

}  // namespace ops
}  // namespace twofour
