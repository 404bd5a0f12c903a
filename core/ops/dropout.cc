#include "twofour/core/ops/dropout.h"

#include <fmt/format.h>

#include <algorithm>

#include "twofour/core/autograd.h"
#include "twofour/core/ceil_div.h"
#include "twofour/core/error.h"
#include "twofour/core/kernels/elements/convert_loops.h"
#include "twofour/core/ops/check.h"
#include "twofour/core/ops/in_f32.h"
#include "twofour/core/parallel.h"

namespace twofour {
inline namespace ops {
namespace {

/// A mask and what remains of the elements that it keeps.
template <typename C>
struct Mask {
  RandomKey key;
  double p;
  C scale;

  /// Applies it to `count` elements, the first of which gets the first number of block `block`.
  void Apply(int64_t block, int64_t count, const C* in, C* out) const {
    for (int64_t at = 0; at < count; at += 4, ++block) {
      const auto bits = RandomBlock(key, static_cast<uint32_t>(block));
      for (int64_t i = at; i < std::min(count, at + 4); ++i)
        out[i] = ToUniform(bits[i - at]) < p ? C{0} : in[i] * scale;
    }
  }

  void Apply(int64_t block, int64_t count, const BFloat16* in, BFloat16* out) const {
    constexpr int64_t kElements = 1024;
    float wide[kElements];
    for (int64_t at = 0; at < count; at += kElements) {
      const int64_t part = std::min(kElements, count - at);
      kernels::loops::Convert(part, in + at, wide);
      Apply(block + at / 4, part, wide, wide);
      kernels::loops::Convert(part, wide, out + at);
    }
  }
};

/// Applies the mask of `key`. The backward pass draws it again, so nothing is stored.
Tensor Masked(const Tensor& x, double p, const RandomKey& key) {
  Tensor out = Tensor::Empty(x.shape(), x.dtype());
  DispatchF32F64OrBF16(x.dtype(), "Dropout", [&](auto zero) {
    using T = decltype(zero);
    using C = ComputeType<T>;
    const T* in = x.data<T>();
    T* result = out.mutable_data<T>();
    const Mask<C> mask = {.key = key, .p = p, .scale = p < 1.0 ? static_cast<C>(1.0 / (1.0 - p)) : C{0}};
    const int64_t n = x.numel(), blocks = CeilDiv(n, 4);
    ParallelFor(blocks, kElementwiseGrain / 16, [=](int64_t first, int64_t last) {
      mask.Apply(first, std::min(n, last * 4) - first * 4, in + first * 4, result + first * 4);
    });
  });
  return out;
}

}  // namespace

Tensor Dropout(const Tensor& x, double p, const RandomKey& key) {
  ops::RequireFloating("Dropout", "x", x);
  if (!(p >= 0.0 && p <= 1.0)) throw Error(fmt::format("Dropout: p is {}, expected a probability in [0, 1]", p));
  if (x.dtype() == DType::kF16) return ops::InF32([&](const Tensor& wide) { return Dropout(wide, p, key); }, x);
  Tensor out = Masked(x, p, key);
  autograd::Record("Dropout", {x}, out, [p, key](const Tensor& dy) { return std::vector<Tensor>{Masked(dy, p, key)}; });
  return out;
}

}  // namespace ops
}  // namespace twofour
