#include "twofour/train/program/report/number_text.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace twofour::train {
namespace {

TEST(DecimalsForTest, ShowsTwoDigitsOfTheSpreadOrFourOfTheValue) {
  EXPECT_EQ(DecimalsFor(0.0123, 5), 3);
  EXPECT_EQ(DecimalsFor(0.5, 5), 2);
  EXPECT_EQ(DecimalsFor(12, 5), 0);
  EXPECT_EQ(DecimalsFor(1234, 5), 0);
  EXPECT_EQ(DecimalsFor(0, 0.05181), 5);
  EXPECT_EQ(DecimalsFor(0, 12.3), 2);
  EXPECT_EQ(DecimalsFor(0, 0), 1);
  EXPECT_EQ(DecimalsFor(1e-30, 1), 8);
  EXPECT_EQ(DecimalsFor(std::numeric_limits<double>::infinity(), 1), 0);
}

TEST(NumberTextTest, WritesSignsAndVeryLongNumbersShort) {
  EXPECT_EQ(NumberText(0.12345, 3), "0.123");
  EXPECT_EQ(NumberText(-0.5, 1), "−0.5");
  EXPECT_EQ(NumberText(-0.0004, 2), "0.00");
  EXPECT_EQ(NumberText(1.5e12, 2), "1.5e+12");
  EXPECT_EQ(NumberText(1e-20, 8), "1e-20");
  EXPECT_EQ(SignedText(0.5, 1), "+0.5");
  EXPECT_EQ(SignedText(-0.5, 1), "−0.5");
  EXPECT_EQ(SignedText(0, 1), "0.0");
}

}  // namespace
}  // namespace twofour::train
