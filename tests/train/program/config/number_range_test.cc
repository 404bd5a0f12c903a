#include "twofour/train/program/config/number_range.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "twofour/core/error.h"
#include "twofour/train/program/config/overrides.h"
#include "twofour/train/program/config/text_config.h"

namespace twofour::train {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(NumberRangeTest, RefusesWhatNoDoubleHolds) {
  const std::string long_integer(400, '9');
  for (const std::string& number : {std::string("1e-400"), std::string("1e400"), std::string("0.1e-330"),
                                    std::string("-1e999"), std::string("1e-400f"), long_integer}) {
    proto::Config config;
    EXPECT_THAT([&] { ApplyOverride(config, "learning_rate.lr=" + number); },
                ThrowsMessage<Error>(AllOf(HasSubstr("--set learning_rate.lr=" + number + ": found "),
                                           HasSubstr("expected 0 or a number from 4.9e-324 to 1.8e+308"))))
        << number;
    EXPECT_FALSE(config.has_learning_rate());
    EXPECT_THAT([&] { ApplyOverride(config, "learning_rate={ lr: " + number + " }"); },
                ThrowsMessage<Error>(HasSubstr("expected 0 or a number")));
    EXPECT_THAT([&] { ParseTextConfig("seed: 1\nlearning_rate { lr: " + number + " }", "c.pbtxt"); },
                ThrowsMessage<Error>(AllOf(HasSubstr("c.pbtxt:2:"), HasSubstr("expected 0 or a number"))))
        << number;
  }
}

TEST(NumberRangeTest, TakesAllOthers) {
  for (const char* number : {"0", "0.0", "0e-999", "1e-300", "5e-324", "1.7e308", "-1e308", "1e-3f", "inf", "100"}) {
    proto::Config config;
    ApplyOverride(config, "learning_rate.lr=" + std::string(number));
    EXPECT_TRUE(config.learning_rate().has_lr()) << number;
  }
  proto::Config config;
  ApplyOverride(config, "name=1e-400");
  EXPECT_EQ(config.name(), "1e-400");
  EXPECT_EQ(ParseTextConfig("# 1e-400\nname: '1e-400' seed: 18446744073709551615", "c").name(), "1e-400");
}

}  // namespace
}  // namespace twofour::train
