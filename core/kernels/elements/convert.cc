#include "twofour/core/kernels/elements/convert.h"

#include "twofour/core/convert_element.h"
#include "twofour/core/kernels/elements/in_ranges.h"
#include "twofour/core/parallel.h"

namespace twofour::kernels {

void Convert(int64_t n, DType from, const std::byte* x, DType to, std::byte* out) {
  DispatchDType(from, [&](auto from_zero) {
    DispatchDType(to, [&](auto to_zero) {
      using From = decltype(from_zero);
      using To = decltype(to_zero);
      const auto* source = reinterpret_cast<const From*>(x);
      auto* target = reinterpret_cast<To*>(out);
      InRanges(n, kElementwiseGrain, [=](int64_t at, int64_t count) {
        for (int64_t i = at; i < at + count; ++i) target[i] = ConvertElement<To>(source[i]);
      });
    });
  });
}

}  // namespace twofour::kernels
