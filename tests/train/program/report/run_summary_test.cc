#include "twofour/train/program/report/run_summary.h"

#include <gtest/gtest.h>

#include "tests/train/program/report/test_runs.h"

namespace twofour::train {
namespace {

TEST(SummariseRunTest, TakesLastBestAndMeans) {
  RunRecord run = test::Recorded("a", 1);
  run.eval_loss = {{10, 3}, {20, 1}, {30, 2}};
  run.eval_details["accuracy"] = {{10, 0.5}, {30, 0.75}};
  for (int64_t step = 1; step <= 100; ++step) run.train_loss[step] = step < 90 ? 1000 : 1;
  run.train_loss[100] = 12;
  run.layer_means["sparsity"] = {{10, 0.25}, {20, 0.5}};
  run.layer_means["flip_rate"] = {{10, 0.25}, {20, 0.75}};
  const RunSummary summary = SummariseRun(run);
  EXPECT_EQ(summary.final_eval_loss, 2);
  EXPECT_EQ(summary.best_eval_loss, 1);
  EXPECT_FALSE(summary.first_eval_loss);
  EXPECT_EQ(summary.final_details.at("accuracy"), 0.75);
  EXPECT_EQ(summary.final_train_loss, 2);  // Steps 90 to 100: ten ones and 12.
  EXPECT_EQ(summary.final_sparsity, 0.5);
  EXPECT_EQ(summary.mean_flip_rate, 0.5);
}

TEST(SummariseRunTest, SpeedIsAMedianAndSecondsAddUp) {
  RunRecord run =
      test::Recorded("a", 1, "training { steps: 100 batch_size: 10 accumulate_steps: 2 }");  // 20 samples a step.
  run.units_per_s = {{50, 500}, {100, 1000}, {110, 1}};
  const RunSummary summary = SummariseRun(run);
  EXPECT_EQ(summary.units_per_s, 500);
  EXPECT_DOUBLE_EQ(summary.training_seconds.value(), 50 * 20 / 500.0 + 50 * 20 / 1000.0 + 10 * 20 / 1.0);
  run.units_per_s = {{50, 500}, {100, 1000}};
  EXPECT_EQ(SummariseRun(run).units_per_s, 750);
  EXPECT_FALSE(SummariseRun(run).recorded_seconds);
  run.training_seconds = {{0, 0}, {50, 2}, {100, 5}};
  EXPECT_EQ(SummariseRun(run).training_seconds, 5);
  EXPECT_EQ(SummariseRun(run).recorded_seconds, 5);
  run.training_seconds.clear();
  run.units_per_s = {{50, 0}};
  EXPECT_FALSE(SummariseRun(run).training_seconds);
}

TEST(SummariseRunTest, WhatIsNotToldIsMissing) {
  const RunSummary summary = SummariseRun(test::Recorded("a", 1));
  EXPECT_FALSE(summary.final_eval_loss || summary.best_eval_loss || summary.final_train_loss ||
               summary.final_sparsity || summary.mean_flip_rate || summary.units_per_s || summary.training_seconds);
}

TEST(SummariseRunTest, WhatARunBeganWithIsNoneOfItsResults) {
  RunRecord run = test::Recorded("a", 1);
  run.eval_loss = {{0, 0.1}, {10, 3}, {20, 2}};
  EXPECT_EQ(SummariseRun(run).best_eval_loss, 2);
  EXPECT_EQ(SummariseRun(run).first_eval_loss, 0.1);
}

TEST(SummariseRunTest, TheBestIsAsSparseAsTheLast) {
  RunRecord run = test::Recorded(
      "a", 1, "sparsity { enabled: true schedule { shape: CUBIC begin { step: 0 } end { fraction: 0.2 } } }");
  run.eval_loss = {{10, 1}, {19, 1}, {20, 4}, {30, 3}, {40, 5}};
  EXPECT_EQ(SummariseRun(run).best_eval_loss, 3);
  run.changes[30] = {"sparsity.schedule.to: 0.5 -> 1"};
  EXPECT_EQ(SummariseRun(run).best_eval_loss, 5);
  // Where the run has ended, it has said which one is the best; but earlier versions took any.
  run.best = {.step = 40, .loss = 4.5};
  run.final_sparsity = 0.75;
  EXPECT_EQ(SummariseRun(run).best_eval_loss, 4.5);
  EXPECT_EQ(SummariseRun(run).final_sparsity, 0.75);
  run.best = {.step = 10, .loss = 1};
  EXPECT_EQ(SummariseRun(run).best_eval_loss, 5);
  run.compared_from = 10;
  EXPECT_EQ(SummariseRun(run).best_eval_loss, 1);
}

}  // namespace
}  // namespace twofour::train
