#include "twofour/core/kernels/elements/convert.h"

#include "twofour/core/convert_element.h"
#include "twofour/core/kernels/elements/convert_loops.h"
#include "twofour/core/kernels/elements/in_ranges.h"
#include "twofour/core/parallel.h"

namespace twofour::kernels {
namespace {

template <typename From, typename To>
void ConvertRange(int64_t n, const From* x, To* out) {
  for (int64_t i = 0; i < n; ++i) out[i] = ConvertElement<To>(x[i]);
}

void ConvertRange(int64_t n, const float* x, BFloat16* out) { loops::Convert(n, x, out); }

void ConvertRange(int64_t n, const BFloat16* x, float* out) { loops::Convert(n, x, out); }

}  // namespace

void Convert(int64_t n, DType from, const std::byte* x, DType to, std::byte* out) {
  DispatchDType(from, [&](auto from_zero) {
    DispatchDType(to, [&](auto to_zero) {
      using From = decltype(from_zero);
      using To = decltype(to_zero);
      const auto* source = reinterpret_cast<const From*>(x);
      auto* target = reinterpret_cast<To*>(out);
      InRanges(n, kElementwiseGrain, [=](int64_t at, int64_t count) { ConvertRange(count, source + at, target + at); });
    });
  });
}

}  // namespace twofour::kernels
