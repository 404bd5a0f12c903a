#include "twofour/core/shape.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "twofour/core/error.h"

namespace twofour {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(ShapeTest, NumElements) {
  EXPECT_EQ(NumElements({}), 1);
  EXPECT_EQ(NumElements({7}), 7);
  EXPECT_EQ(NumElements({2, 3, 5}), 30);
  EXPECT_EQ(NumElements({4, 0, 5}), 0);
  EXPECT_EQ(NumElements({int64_t{1} << 24, int64_t{1} << 24}), int64_t{1} << 48);
}

TEST(ShapeTest, NumElementsErrors) {
  EXPECT_THAT(
      [] {
        NumElements({2, -3});
      },
      ThrowsMessage<Error>(AllOf(HasSubstr("[2, -3]"), HasSubstr("must not be negative"))));
  EXPECT_THAT([] { NumElements({0, -1}); }, ThrowsMessage<Error>(HasSubstr("must not be negative")));
  EXPECT_THAT([] { NumElements({int64_t{1} << 48, 2}); }, ThrowsMessage<Error>(HasSubstr("more than 2^48")));
  EXPECT_THAT([] { NumElements({int64_t{1} << 62, int64_t{1} << 62}); }, ThrowsMessage<Error>(HasSubstr("2^48")));
  EXPECT_THAT([] { NumElements({INT64_MAX}); }, ThrowsMessage<Error>(HasSubstr("2^48")));
}

TEST(ShapeTest, HugeSizesBesideAZeroAreErrors) {
  // There is nothing to store, but rows() multiplies the sizes before the last.
  EXPECT_THROW(NumElements({int64_t{1} << 40, int64_t{1} << 40, 0}), Error);
  EXPECT_THROW(NumElements({0, int64_t{1} << 62, 8}), Error);
}

TEST(ShapeTest, ToString) {
  EXPECT_EQ(ToString(Shape{}), "[]");
  EXPECT_EQ(ToString({5}), "[5]");
  EXPECT_EQ(ToString({2, 3, -1}), "[2, 3, -1]");
}

}  // namespace
}  // namespace twofour
