#include "twofour/core/kernels/elements/scale_by.h"

#include <limits>

#include "twofour/core/kernels/elements/elementwise.h"

namespace twofour::kernels {

void ScaleBy(int64_t n, double factor, const float* a, float* out) {
  // A power of two, so that products with it are exact unless they are denormal. The loop is skipped for 0 and NaN.
  constexpr float kStep = 0x1p-100f;
  while (factor > 0 && factor < double{std::numeric_limits<float>::min()}) {
    Scale(n, kStep, a, out);
    factor /= double{kStep};
    a = out;
  }
  Scale(n, static_cast<float>(factor), a, out);
}

}  // namespace twofour::kernels
