#include "tests/support/bf16_wrappers.h"

#include <hwy/detect_compiler_arch.h>

#include <bit>
#include <cmath>
#include <limits>

#include "tests/support/narrow_float.h"

namespace twofour::test {
namespace {

constexpr double kSmallestNormal = 0x1p-126;

double FlushedToZero(double x) { return std::fabs(x) < kSmallestNormal ? std::copysign(0.0, x) : x; }

/// a + b with its last digit set to 1 if digits are missing, so that it can be rounded again without harm.
double AddToOdd(double a, double b) {
  const double sum = a + b, part = sum - a, error = (a - (sum - part)) + (b - part);
  if (error == 0 || (std::bit_cast<uint64_t>(sum) & 1) != 0) return sum;
  return std::nextafter(sum, std::copysign(std::numeric_limits<double>::infinity(), error));
}

}  // namespace

#if HWY_ARCH_X86_64
namespace bf16_native {
Bf16WrapperTable Bf16Wrappers();
}
#endif
namespace bf16_emulated {
Bf16WrapperTable Bf16Wrappers();
}

std::vector<Bf16WrapperTable> Bf16WrapperTables() {
  return {
#if HWY_ARCH_X86_64
    bf16_native::Bf16Wrappers(),
#endif
        bf16_emulated::Bf16Wrappers()
  };
}

float FusedMultiplyAddBf16(BFloat16 a, BFloat16 b, float c) {
  // A product of two bf16 is exact in double.
  const double product = FlushedToZero(static_cast<double>(static_cast<float>(a))) *
                         FlushedToZero(static_cast<double>(static_cast<float>(b)));
  const double addend = FlushedToZero(static_cast<double>(c));
  if (!std::isfinite(product) || !std::isfinite(addend)) return static_cast<float>(product + addend);
  int exponent = 0;
  const double digits = std::frexp(AddToOdd(product, addend), &exponent);
  const double rounded = std::ldexp(std::nearbyint(std::ldexp(digits, 24)), exponent - 24);
  return static_cast<float>(FlushedToZero(rounded));
}

BFloat16 NearestBf16(float x) {
  return BFloat16(static_cast<float>(FormatOf<BFloat16>().Nearest(FlushedToZero(static_cast<double>(x)))));
}

}  // namespace twofour::test
