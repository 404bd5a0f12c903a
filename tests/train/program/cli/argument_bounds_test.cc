#include "twofour/train/program/cli/argument_bounds.h"

#include <gtest/gtest.h>

namespace twofour::train {
namespace {

TEST(ArgumentBoundsTest, AWholeNumberIsOneWithinItsBounds) {
  const ArgumentBounds small{.low = -2, .high = 9};
  for (const char* text : {"-2", "-1", "0", "-0", "+3", "9", "0x9", "0X5"}) EXPECT_EQ(FaultOf(text, small), "") << text;
  for (const std::string text : {"-3", "10", "0xA", "99999999999999999999999", "-99999999999999999999999", "abc", "1.5",
                                 "1e0", "1,000", "-", "+", "0x", "--1", " 1", "1 ", "5k"}) {
    EXPECT_EQ(FaultOf(text, small), text + ", expected a whole number from -2 to 9");
  }
  EXPECT_EQ(FaultOf("", small), "nothing, expected a whole number from -2 to 9");
  EXPECT_EQ(FaultOf("007", small), "007, expected a number that does not begin with 0");
}

TEST(ArgumentBoundsTest, TheBoundsOfATypeAreExact) {
  const ArgumentBounds signed_bounds{};
  EXPECT_EQ(FaultOf("9223372036854775807", signed_bounds), "");
  EXPECT_EQ(FaultOf("-9223372036854775808", signed_bounds), "");
  EXPECT_NE(FaultOf("9223372036854775808", signed_bounds), "");
  EXPECT_NE(FaultOf("-9223372036854775809", signed_bounds), "");
  const ArgumentBounds seed{.low = 0, .high = std::numeric_limits<uint64_t>::max()};
  EXPECT_EQ(FaultOf("18446744073709551615", seed), "");
  EXPECT_EQ(FaultOf("18446744073709551616", seed),
            "18446744073709551616, expected a whole number from 0 to 18446744073709551615");
  EXPECT_EQ(FaultOf("-1", seed), "-1, expected a whole number from 0 to 18446744073709551615");
  EXPECT_NE(FaultOf("0", {.low = 1, .high = 2}), "");
}

TEST(ArgumentBoundsTest, AnyOtherNumberIsFiniteAndWithinItsBounds) {
  const ArgumentBounds bounds{.whole = false, .lowest = 0, .highest = 1e6};
  for (const char* text : {"0", "1e6", ".5", "1e-3", "0.5", "0e1"}) EXPECT_EQ(FaultOf(text, bounds), "") << text;
  for (const std::string text : {"-1", "1e7", "nan", "inf", "abc", " 1", "1x"}) {
    EXPECT_EQ(FaultOf(text, bounds), text + ", expected a number from 0 to 1e+06");
  }
  EXPECT_EQ(FaultOf("0,5", bounds), "0,5, expected a number from 0 to 1e+06, with a point for decimals");
  EXPECT_EQ(FaultOf("", bounds), "nothing, expected a number from 0 to 1e+06");
  EXPECT_EQ(FaultOf("x", {.whole = false}), "x, expected a finite number");
  EXPECT_EQ(FaultOf("001", bounds), "001, expected a number that does not begin with 0");
}

}  // namespace
}  // namespace twofour::train
