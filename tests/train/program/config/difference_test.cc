#include "twofour/train/program/config/difference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "twofour/train/program/config/text_config.h"

namespace twofour::train {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(FirstDifferenceTest, ThreadsMakeNone) {
  EXPECT_EQ(FirstDifference(ParseTextConfig("seed: 3 threads: 1", "a"), ParseTextConfig("seed: 3 threads: 2", "b")),
            std::nullopt);
}

TEST(FirstDifferenceTest, NamesTheFirstFieldAlone) {
  const auto difference = FirstDifference(ParseTextConfig("seed: 3 training { steps: 1 }", "a"),
                                          ParseTextConfig("seed: 4 training { steps: 2 }", "b"));
  ASSERT_TRUE(difference.has_value());
  EXPECT_THAT(*difference, AllOf(HasSubstr("seed"), HasSubstr("3"), HasSubstr("4"), Not(HasSubstr("steps"))));
}

}  // namespace
}  // namespace twofour::train
