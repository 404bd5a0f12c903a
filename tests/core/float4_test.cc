#include "twofour/core/float4.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "twofour/core/tensor.h"

#include "tests/support/fixtures.h"

namespace twofour {
namespace {

static_assert(E2M1ToFloat(7) == kE2M1Largest && E2M1ToFloat(9) == -0.5F && E2M1FromFloat(-1.5F) == 11);
static_assert(PackE2M1(3, 12) == 0xc3);

TEST(Float4Test, IsMlDtypes) {
  const test::Fixture fixture("float8");
  const Tensor values = fixture.Get("e2m1.values"), x = fixture.Get("e2m1.x"), rounded = fixture.Get("e2m1.rounded");
  for (int code = 0; code < 16; ++code) {
    const float value = E2M1ToFloat(static_cast<uint8_t>(code));
    EXPECT_EQ(std::bit_cast<uint32_t>(value), std::bit_cast<uint32_t>(values.data<float>()[code])) << code;
    EXPECT_EQ(E2M1FromFloat(value), code);
  }
  ASSERT_GT(x.numel(), 200);
  for (int64_t i = 0; i < x.numel(); ++i) {
    EXPECT_EQ(E2M1FromFloat(x.data<float>()[i]), rounded.data<uint8_t>()[i]) << x.data<float>()[i];
  }
}

/// The code whose value is nearest to a number, found by looking at all. Of two, the even one.
int NearestCode(double magnitude) {
  int nearest = 0;
  for (int code = 1; code < 8; ++code) {
    const double distance = std::abs(E2M1ToFloat(static_cast<uint8_t>(code)) - magnitude);
    const double least = std::abs(E2M1ToFloat(static_cast<uint8_t>(nearest)) - magnitude);
    if (distance < least || (distance == least && code % 2 == 0)) nearest = code;
  }
  return nearest;
}

TEST(Float4Test, FloatsOfAllSizesBecomeTheNearestCode) {
  constexpr uint64_t kStep = 7919;
  for (uint64_t i = 0; i < uint64_t{1} << 31; i += kStep) {
    const float x = std::bit_cast<float>(static_cast<uint32_t>(i));
    const int expected = std::isnan(x) ? 7 : NearestCode(std::min<double>(x, 1e6));
    ASSERT_EQ(E2M1FromFloat(x), expected) << x;
    ASSERT_EQ(E2M1FromFloat(-x), expected + 8) << x;
  }
}

}  // namespace
}  // namespace twofour
