#include "twofour/core/ops/dropout.h"

#include <fmt/format.h>

#include <algorithm>

#include "twofour/core/autograd.h"
#include "twofour/core/ceil_div.h"
#include "twofour/core/error.h"
#include "twofour/core/ops/check.h"
#include "twofour/core/ops/in_f32.h"
#include "twofour/core/parallel.h"

namespace twofour {
inline namespace ops {
namespace {

/// Applies the mask of `key`. The backward pass draws it again, so nothing is stored.
Tensor Masked(const Tensor& x, double p, const RandomKey& key) {
  Tensor out = Tensor::Empty(x.shape(), x.dtype());
  DispatchF32OrF64(x.dtype(), "Dropout", [&](auto zero) {
    using T = decltype(zero);
    const T* in = x.data<T>();
    T* result = out.mutable_data<T>();
    const T scale = p < 1.0 ? static_cast<T>(1.0 / (1.0 - p)) : T{0};
    const int64_t n = x.numel(), blocks = CeilDiv(n, 4);
    ParallelFor(blocks, kElementwiseGrain / 16, [=](int64_t first, int64_t last) {
      for (int64_t block = first; block < last; ++block) {
        const auto bits = RandomBlock(key, static_cast<uint32_t>(block));
        for (int64_t i = block * 4; i < std::min(n, block * 4 + 4); ++i) {
          result[i] = ToUniform(bits[i % 4]) < p ? T{0} : in[i] * scale;
        }
      }
    });
  });
  return out;
}

}  // namespace

Tensor Dropout(const Tensor& x, double p, const RandomKey& key) {
  ops::RequireFloating("Dropout", "x", x);
  if (!(p >= 0.0 && p <= 1.0)) throw Error(fmt::format("Dropout: p is {}, expected a probability in [0, 1]", p));
  if (IsHalf(x.dtype())) return ops::InF32([&](const Tensor& wide) { return Dropout(wide, p, key); }, x);
  Tensor out = Masked(x, p, key);
  autograd::Record("Dropout", {x}, out, [p, key](const Tensor& dy) { return std::vector<Tensor>{Masked(dy, p, key)}; });
  return out;
}

}  // namespace ops
}  // namespace twofour
