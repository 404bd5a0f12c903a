#include "twofour/train/program/config/lr_steps.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "twofour/train/program/config/build.h"
#include "twofour/train/program/config/overrides.h"
#include "twofour/train/program/config/text_config.h"
#include "twofour/train/program/config/validate.h"

#include "tests/support/expect_error.h"

namespace twofour::train {
namespace {

using ::testing::HasSubstr;

/// A config of `steps` steps that is valid if the learning rate is.
proto::Config ConfigOf(int64_t steps, const std::string& rate) {
  proto::Config config = WithDefaults(ParseTextConfig(
      "name: 'x' model { mlp {} } data { glyphs {} } learning_rate { lr: 1 min_lr: 0.1 " + rate + " }", "c"));
  config.mutable_training()->set_steps(steps);
  return config;
}

std::vector<double> Rates(const proto::Config& config) {
  ValidateConfig(config);
  const optim::LrSchedule schedule = BuildLrSchedule(config.learning_rate(), config.training().steps());
  std::vector<double> rates;
  for (int64_t step = 0; step < config.training().steps(); ++step) rates.push_back(schedule(step));
  return rates;
}

TEST(LrStepsTest, FractionsAreStepsOfARunOfAnyLength) {
  for (const int64_t steps : {1, 2, 3, 10, 100, 1000}) {
    const LrSteps fitting = FittingLrSteps(
        ConfigOf(steps, "schedule: WARMUP_STABLE_DECAY warmup_fraction: 0.1 decay_fraction: 0.6").learning_rate(),
        steps);
    EXPECT_EQ(fitting.warmup, std::llround(0.1 * static_cast<double>(steps)));
    EXPECT_EQ(fitting.decay, std::llround(0.6 * static_cast<double>(steps)));
  }
  EXPECT_EQ(Rates(ConfigOf(100, "schedule: WARMUP_STABLE_DECAY warmup_fraction: 0.1 decay_fraction: 0.6")),
            Rates(ConfigOf(100, "schedule: WARMUP_STABLE_DECAY warmup_steps: 10 decay_steps: 60")));
  EXPECT_EQ(Rates(ConfigOf(100, "schedule: WARMUP_COSINE warmup_fraction: 0.25")),
            Rates(ConfigOf(100, "schedule: WARMUP_COSINE warmup_steps: 25")));
  EXPECT_EQ(Rates(ConfigOf(10, "schedule: WARMUP_STABLE_DECAY warmup_fraction: 1 decay_steps: 1")),
            Rates(ConfigOf(10, "schedule: WARMUP_STABLE_DECAY warmup_steps: 10 decay_steps: 1")));
}

TEST(LrStepsTest, StepsAreCutToFitAShorterRun) {
  const std::string both = "schedule: WARMUP_STABLE_DECAY warmup_steps: 100 decay_steps: 1000";
  const auto fitting = [&](int64_t steps) { return FittingLrSteps(ConfigOf(steps, both).learning_rate(), steps); };
  EXPECT_EQ(fitting(2000).decay, 1000);
  EXPECT_EQ(fitting(1100).decay, 1000);
  EXPECT_EQ(fitting(1099).decay, 999);
  EXPECT_EQ(fitting(500).warmup, 100);
  EXPECT_EQ(fitting(500).decay, 400);
  EXPECT_EQ(fitting(10).warmup, 10);
  EXPECT_EQ(fitting(10).decay, 0);
  EXPECT_EQ(Rates(ConfigOf(10, both)),
            Rates(ConfigOf(10, "schedule: WARMUP_STABLE_DECAY warmup_steps: 10 decay_steps: 1")));
  EXPECT_EQ(Rates(ConfigOf(10, "schedule: WARMUP_COSINE warmup_steps: 100")),
            Rates(ConfigOf(10, "schedule: WARMUP_COSINE warmup_steps: 10")));
}

TEST(LrStepsTest, TwoFractionsThatFillTheRunFitOneOfAnyLength) {
  for (int64_t steps = 1; steps <= 50; ++steps) {
    for (const char* rate : {"warmup_fraction: 0.5 decay_fraction: 0.5", "warmup_fraction: 0.3 decay_fraction: 0.7"}) {
      EXPECT_NO_THROW(Rates(ConfigOf(steps, std::string("schedule: WARMUP_STABLE_DECAY ") + rate))) << steps;
    }
  }
}

TEST(LrStepsTest, ContradictionsStayErrors) {
  const auto expect = [](const std::string& rate, const std::string& message) {
    EXPECT_ERROR(ValidateConfig(ConfigOf(100, rate)), ErrorKind::kInvalidInput,
                 HasSubstr("config: learning_rate." + message));
  };
  const std::string stable = "schedule: WARMUP_STABLE_DECAY ";
  expect(stable + "warmup_fraction: 0.5 decay_fraction: 0.6",
         "decay_fraction: 0.6, expected at most 1 - warmup_fraction, which is 0.5");
  expect(stable + "warmup_fraction: 1.1", "warmup_fraction: 1.1, expected 0 to 1");
  expect(stable + "warmup_fraction: -0.1", "warmup_fraction: -0.1, expected 0 to 1");
  expect(stable + "decay_fraction: nan", "decay_fraction: nan, expected 0 to 1");
  expect(stable + "warmup_steps: -1", "warmup_steps: -1, expected 0 to");
  expect(stable + "decay_steps: -1", "decay_steps: -1, expected 0 to");
  expect("warmup_fraction: 0.1", "warmup_fraction: 0.1, expected 0 with CONSTANT");
  expect("schedule: WARMUP_COSINE decay_fraction: 0.1", "decay_fraction: 0.1, expected 0 unless the schedule is");
}

TEST(LrStepsTest, TheLastOverrideDecidesWhichOfTheTwoIsMeant) {
  proto::Config config = ConfigOf(100, "schedule: WARMUP_COSINE warmup_steps: 5");
  ApplyOverride(config, "learning_rate.warmup_fraction=0.5");
  EXPECT_EQ(FittingLrSteps(WithDefaults(config).learning_rate(), 100).warmup, 50);
  ApplyOverride(config, "learning_rate.warmup_steps=7");
  EXPECT_EQ(FittingLrSteps(WithDefaults(config).learning_rate(), 100).warmup, 7);
}

TEST(LrStepsTest, DefaultsSpellOutStepsUnlessAFractionIsGiven) {
  const proto::LearningRate plain = ConfigOf(100, "").learning_rate();
  EXPECT_TRUE(plain.has_warmup_steps());
  EXPECT_TRUE(plain.has_decay_steps());
  const proto::LearningRate fraction = ConfigOf(100, "warmup_fraction: 0.5").learning_rate();
  EXPECT_FALSE(fraction.has_warmup_steps());
  EXPECT_EQ(fraction.warmup_fraction(), 0.5);
  EXPECT_TRUE(fraction.has_decay_steps());
}

}  // namespace
}  // namespace twofour::train
