#include "twofour/core/half.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "tests/support/narrow_float.h"

namespace twofour {
namespace {

using test::FormatOf;
using test::NarrowFloat;

constexpr uint32_t kSign = 0x8000, kPatterns = 0x10000;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

static_assert(sizeof(Float16) == 2 && sizeof(BFloat16) == 2);
static_assert(Float16(1.0F).bits() == 0x3c00 && static_cast<float>(Float16::FromBits(0xc000)) == -2.0F);
static_assert(BFloat16(1.0F).bits() == 0x3f80 && static_cast<float>(BFloat16::FromBits(0xc000)) == -2.0F);

template <typename T>
class HalfTest : public ::testing::Test {};
using HalfTypes = ::testing::Types<Float16, BFloat16>;
TYPED_TEST_SUITE(HalfTest, HalfTypes);

template <typename T>
float FloatOf(uint32_t bits) {
  return static_cast<float>(T::FromBits(static_cast<uint16_t>(bits)));
}

/// The bit that makes a NaN quiet.
template <typename T>
uint32_t QuietBit() {
  return 1U << (FormatOf<T>().mantissa_bits - 1);
}

TYPED_TEST(HalfTest, EveryPatternHasTheValueOfItsDefinition) {
  const NarrowFloat format = FormatOf<TypeParam>();
  for (uint32_t bits = 0; bits < kPatterns; ++bits) {
    const float value = FloatOf<TypeParam>(bits);
    ASSERT_EQ(std::signbit(value), bits >= kSign) << bits;
    const uint32_t magnitude = bits % kSign;
    if (magnitude < format.infinity()) {
      ASSERT_EQ(std::abs(static_cast<double>(value)), format.Magnitude(magnitude)) << bits;
    } else if (magnitude == format.infinity()) {
      ASSERT_EQ(std::abs(value), kInfinity) << bits;
    } else {
      ASSERT_TRUE(std::isnan(value)) << bits;
    }
  }
}

TYPED_TEST(HalfTest, EveryPatternComesBackAndNanIsQuiet) {
  const NarrowFloat format = FormatOf<TypeParam>();
  for (uint32_t bits = 0; bits < kPatterns; ++bits) {
    const bool is_nan = bits % kSign > format.infinity();
    const uint32_t expected = is_nan ? bits | QuietBit<TypeParam>() : bits;
    ASSERT_EQ(TypeParam(FloatOf<TypeParam>(bits)).bits(), expected) << bits;
    if (is_nan) {
      ASSERT_NE(std::bit_cast<uint32_t>(FloatOf<TypeParam>(bits)) & 0x00400000U, 0u) << bits;
    }
  }
}

/// Rounding only changes halfway between neighbours, so it suffices to test these floats and the order of all others.
TYPED_TEST(HalfTest, RoundsToTheNearestAndHalfwayToEven) {
  const NarrowFloat format = FormatOf<TypeParam>();
  for (uint32_t bits = 0; bits < format.infinity(); ++bits) {
    const double middle = (format.Magnitude(bits) + format.Magnitude(bits + 1)) / 2;
    const float halfway = static_cast<float>(middle);
    ASSERT_EQ(static_cast<double>(halfway), middle);
    for (const uint32_t sign : {0U, kSign}) {
      const float signed_halfway = sign == 0 ? halfway : -halfway;
      const float below = std::nextafter(signed_halfway, 0.0F);
      const float above = std::nextafter(signed_halfway, sign == 0 ? kInfinity : -kInfinity);
      ASSERT_EQ(TypeParam(below).bits(), sign + bits);
      ASSERT_EQ(TypeParam(signed_halfway).bits(), sign + bits + bits % 2);
      ASSERT_EQ(TypeParam(above).bits(), sign + bits + 1);
    }
  }
}

TYPED_TEST(HalfTest, FloatsOfAllSizesAreRoundedAsByTheDefinition) {
  constexpr uint64_t kStep = 9973;
  for (uint64_t i = 0; i < uint64_t{1} << 32; i += kStep) {
    const float x = std::bit_cast<float>(static_cast<uint32_t>(i));
    const auto rounded = static_cast<float>(TypeParam(x));
    ASSERT_EQ(std::signbit(rounded), std::signbit(x)) << i;
    if (std::isnan(x)) {
      ASSERT_TRUE(std::isnan(rounded)) << i;
    } else {
      ASSERT_EQ(static_cast<double>(rounded), FormatOf<TypeParam>().Nearest(x)) << i;
    }
  }
}

TYPED_TEST(HalfTest, NanKeepsSignAndUpperPayload) {
  const NarrowFloat format = FormatOf<TypeParam>();
  for (uint32_t payload = 1; payload < 1U << 23; payload += 1021) {
    for (const uint32_t sign : {0U, 0x80000000U}) {
      const TypeParam rounded(std::bit_cast<float>(sign | 0x7f800000U | payload));
      const uint32_t upper = payload >> (23 - format.mantissa_bits);
      ASSERT_EQ(rounded.bits(), (sign >> 16) + format.infinity() + (upper | QuietBit<TypeParam>())) << payload;
    }
  }
}

// GCC emulates the type on x86; clang 14 needs a processor that has it.
#if defined(__FLT16_MANT_DIG__) && defined(__SSE2__) && !defined(__clang__)
__extension__ using CompilersFloat16 = _Float16;

TEST(Float16Test, IsTheCompilers) {
  for (uint32_t bits = 0; bits < kPatterns; ++bits) {
    const auto value = static_cast<float>(std::bit_cast<CompilersFloat16>(static_cast<uint16_t>(bits)));
    ASSERT_EQ(std::bit_cast<uint32_t>(FloatOf<Float16>(bits)), std::bit_cast<uint32_t>(value)) << bits;
  }
  constexpr uint64_t kStep = 4093;
  for (uint64_t i = 0; i < uint64_t{1} << 32; i += kStep) {
    const float x = std::bit_cast<float>(static_cast<uint32_t>(i));
    ASSERT_EQ(Float16(x).bits(), std::bit_cast<uint16_t>(static_cast<CompilersFloat16>(x))) << i;
  }
}
#endif

}  // namespace
}  // namespace twofour
