#include "twofour/train/program/report/training_time.h"

#include <gtest/gtest.h>

#include "tests/train/program/report/test_runs.h"

namespace twofour::train {
namespace {

/// 20 samples a step.
RunRecord EmptyRun() { return test::Recorded("a", 1, "training { steps: 1000 batch_size: 10 accumulate_steps: 2 }"); }

TEST(TrainingSecondsAtTest, TakesWhatIsRecorded) {
  RunRecord run = EmptyRun();
  run.training_seconds = {{0, 0}, {50, 7}, {100, 15}};
  run.units_per_s = {{50, 1}, {100, 1}};
  EXPECT_EQ(TrainingSecondsAt(run, 0), 0);
  EXPECT_EQ(TrainingSecondsAt(run, 50), 7);
  EXPECT_EQ(TrainingSecondsAt(run, 100), 15);
}

TEST(TrainingSecondsAtTest, AddsUpSpeedsWhereNothingIsRecorded) {
  RunRecord run = EmptyRun();
  run.units_per_s = {{50, 500}, {100, 1000}};
  EXPECT_DOUBLE_EQ(TrainingSecondsAt(run, 50).value(), 50 * 20 / 500.0);
  EXPECT_DOUBLE_EQ(TrainingSecondsAt(run, 60).value(), 50 * 20 / 500.0 + 10 * 20 / 1000.0);
  EXPECT_DOUBLE_EQ(TrainingSecondsAt(run, 100).value(), 50 * 20 / 500.0 + 50 * 20 / 1000.0);
  // The last speed holds for the steps after it.
  EXPECT_DOUBLE_EQ(TrainingSecondsAt(run, 130).value(), 50 * 20 / 500.0 + 80 * 20 / 1000.0);
}

TEST(TrainingSecondsAtTest, GoesOnFromTheLastRecordedSeconds) {
  RunRecord run = EmptyRun();  // An earlier version made the steps after 50.
  run.training_seconds = {{50, 3}};
  run.units_per_s = {{50, 1}, {100, 1000}};
  EXPECT_DOUBLE_EQ(TrainingSecondsAt(run, 100).value(), 3 + 50 * 20 / 1000.0);
}

TEST(TrainingSecondsAtTest, CountsTokensOfALanguageModel) {
  RunRecord run = EmptyRun();
  run.config.clear_model();
  run.config.mutable_model()->mutable_gpt()->set_sequence_length(64);
  run.units_per_s = {{10, 100}};
  EXPECT_DOUBLE_EQ(TrainingSecondsAt(run, 10).value(), 10 * 20 * 64 / 100.0);
}

TEST(TrainingSecondsAtTest, IsUnknownWithoutSpeeds) {
  RunRecord run = EmptyRun();
  EXPECT_EQ(TrainingSecondsAt(run, 0), 0);
  EXPECT_FALSE(TrainingSecondsAt(run, 1));
  run.units_per_s = {{50, 0}, {100, 1}};
  EXPECT_FALSE(TrainingSecondsAt(run, 100));
  run.units_per_s = {{50, 1}, {100, -1}};
  EXPECT_FALSE(TrainingSecondsAt(run, 100));
  EXPECT_FALSE(TrainingSecondsAt(run, 200));
  EXPECT_TRUE(TrainingSecondsAt(run, 50));
}

}  // namespace
}  // namespace twofour::train
