#include "twofour/core/float8.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include "twofour/core/tensor.h"

#include "tests/support/fixtures.h"
#include "tests/support/narrow_float.h"

namespace twofour {
namespace {

using test::Fixture;
using test::FormatOf;
using test::NarrowFloat;

constexpr uint32_t kSignOfByte = 0x80, kBytes = 0x100;

static_assert(sizeof(Float8E4M3) == 1 && sizeof(Float8E5M2) == 1);
static_assert(Float8E4M3(1.0F).bits() == 0x38 && static_cast<float>(Float8E4M3::FromBits(0xc0)) == -2.0F);
static_assert(Float8E5M2(1.0F).bits() == 0x3c && static_cast<float>(Float8E5M2::FromBits(0xc0)) == -2.0F);
static_assert(Float8E4M3(Float8E4M3::kLargest).bits() == 0x7e && Float8E5M2(Float8E5M2::kLargest).bits() == 0x7b);

template <typename T>
class Float8Test : public ::testing::Test {};
using Float8Types = ::testing::Types<Float8E4M3, Float8E5M2>;
TYPED_TEST_SUITE(Float8Test, Float8Types);

template <typename T>
float FloatOfByte(uint32_t bits) {
  return static_cast<float>(T::FromBits(static_cast<uint8_t>(bits)));
}

/// Equal, or both NaN, and of the same sign.
bool SameNumber(double a, double b) {
  return std::signbit(a) == std::signbit(b) && (a == b || (std::isnan(a) && std::isnan(b)));
}

TYPED_TEST(Float8Test, EveryPatternHasTheValueOfItsDefinition) {
  for (uint32_t bits = 0; bits < kBytes; ++bits) {
    ASSERT_TRUE(SameNumber(FloatOfByte<TypeParam>(bits), FormatOf<TypeParam>().Value(bits))) << bits;
  }
}

TYPED_TEST(Float8Test, EveryPatternComesBackAndNanIsQuiet) {
  for (uint32_t bits = 0; bits < kBytes; ++bits) {
    const float value = FloatOfByte<TypeParam>(bits);
    if (std::isnan(value)) {
      ASSERT_NE(std::bit_cast<uint32_t>(value) & 0x00400000U, 0u) << bits;
      ASSERT_TRUE(SameNumber(FloatOfByte<TypeParam>(TypeParam(value).bits()), value)) << bits;
      ASSERT_EQ(TypeParam(value).bits() & bits, bits) << "lost a bit of the payload";
    } else {
      ASSERT_EQ(TypeParam(value).bits(), bits);
    }
  }
}

/// Rounding only changes halfway between neighbours, so it suffices to test these floats and the order of all others.
TYPED_TEST(Float8Test, RoundsToTheNearestAndHalfwayToEven) {
  const NarrowFloat format = FormatOf<TypeParam>();
  for (uint32_t bits = 0; bits < format.infinity(); ++bits) {
    const double middle = (format.Magnitude(bits) + format.Magnitude(bits + 1)) / 2;
    const float halfway = static_cast<float>(middle), infinity = std::numeric_limits<float>::infinity();
    ASSERT_EQ(static_cast<double>(halfway), middle);
    for (const uint32_t sign : {0U, kSignOfByte}) {
      const float side = sign == 0 ? 1.0F : -1.0F;
      ASSERT_EQ(TypeParam(std::nextafter(side * halfway, 0.0F)).bits(), sign + bits);
      ASSERT_EQ(TypeParam(side * halfway).bits(), sign + bits + bits % 2);
      ASSERT_EQ(TypeParam(std::nextafter(side * halfway, side * infinity)).bits(), sign + bits + 1);
    }
  }
}

TYPED_TEST(Float8Test, FloatsOfAllSizesAreRoundedAsByTheDefinition) {
  constexpr uint64_t kStep = 9973;
  for (uint64_t i = 0; i < uint64_t{1} << 32; i += kStep) {
    const float x = std::bit_cast<float>(static_cast<uint32_t>(i));
    ASSERT_TRUE(SameNumber(static_cast<float>(TypeParam(x)), FormatOf<TypeParam>().Nearest(x))) << i;
  }
}

TEST(Float8FixtureTest, IsMlDtypes) {
  const Fixture fixture("float8");
  const auto compare = [&]<typename T>(T, const std::string& name) {
    SCOPED_TRACE(name);
    const Tensor values = fixture.Get(name + ".values"), patterns = fixture.Get(name + ".patterns");
    for (uint32_t bits = 0; bits < kBytes; ++bits) {
      ASSERT_TRUE(SameNumber(FloatOfByte<T>(bits), values.data<float>()[bits])) << bits;
      ASSERT_EQ(patterns.data<T>()[bits].bits(), bits);
    }
    const Tensor x = fixture.Get(name + ".x"), rounded = fixture.Get(name + ".rounded");
    ASSERT_GT(x.numel(), 500);
    for (int64_t i = 0; i < x.numel(); ++i) {
      ASSERT_EQ(T(x.data<float>()[i]).bits(), rounded.data<uint8_t>()[i]) << x.data<float>()[i];
    }
  };
  compare(Float8E4M3{}, "e4m3");
  compare(Float8E5M2{}, "e5m2");
}

}  // namespace
}  // namespace twofour
