#include "twofour/train/program/report/time_to_loss.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/train/program/report/test_runs.h"

namespace twofour::train {
namespace {

using test::Recorded;

/// Evaluated at these steps, with a second for each ten steps.
RunRecord Evaluated(const std::string& name, int seed, const Curve& losses, bool finished = true) {
  RunRecord run = Recorded(name, seed, "", finished);
  run.eval_loss = losses;
  for (const auto& [step, loss] : losses) run.training_seconds[step] = static_cast<double>(step) / 10;
  return run;
}

TEST(MeanEvaluationsTest, AreMeansAtTheStepsOfAllRuns) {
  RunRecord a = Evaluated("a", 1, {{10, 3}, {20, 2}, {30, 1}}), b = Evaluated("a", 2, {{10, 5}, {30, 2}});
  b.training_seconds = {{10, 3}};
  const RunRecord none = Recorded("a", 3);
  const auto points = MeanEvaluations({&a, &none, &b});
  ASSERT_EQ(points.size(), 2u);
  EXPECT_EQ(points[0].step, 10);
  EXPECT_EQ(points[0].loss, 4);
  EXPECT_EQ(points[0].seconds, 2);
  EXPECT_EQ(points[1].step, 30);
  EXPECT_EQ(points[1].loss, 1.5);
  EXPECT_FALSE(points[1].seconds);
  EXPECT_TRUE(MeanEvaluations({}).empty());
  EXPECT_TRUE(MeanEvaluations({&none}).empty());
}

TEST(MeanEvaluationsTest, LeavesOutStepsOfALessSparseModel) {
  RunRecord run = Recorded("a", 1, "sparsity { enabled: true dense_warmup: 0.2 }");
  run.eval_loss = {{10, 1}, {20, 3}, {30, 2}};
  const auto points = MeanEvaluations({&run});
  ASSERT_EQ(points.size(), 2u);
  EXPECT_EQ(points[0].step, 20);
}

TEST(FirstReachedTest, LiesOnTheLineBetweenTwoEvaluations) {
  const std::vector<EvaluationPoint> points = {{10, 4, 1.0}, {20, 2, 3.0}, {30, 3, 5.0}, {40, 0, 9.0}};
  const auto at = [&](double target) { return FirstReached(points, target); };
  EXPECT_EQ(at(3)->step, 15);
  EXPECT_EQ(at(3)->seconds, 2);
  EXPECT_FALSE(at(3)->at_most);
  EXPECT_EQ(at(2)->step, 20);
  EXPECT_EQ(at(2)->seconds, 3);
  EXPECT_EQ(at(1.5)->step, 35);
  EXPECT_EQ(at(1.5)->seconds, 7);
  EXPECT_EQ(at(0)->step, 40);
  EXPECT_FALSE(at(-0.001));
  EXPECT_FALSE(FirstReached({}, 1));
}

TEST(FirstReachedTest, KnowsOnlyABoundWhereTheFirstEvaluationIsAlreadyAsLow) {
  const auto reached = FirstReached({{10, 1, 2.0}, {20, 0.5, 4.0}}, 1);
  EXPECT_EQ(reached->step, 10);
  EXPECT_EQ(reached->seconds, 2);
  EXPECT_TRUE(reached->at_most);
  // What a run begins with is no bound but the beginning.
  EXPECT_FALSE(FirstReached({{0, 1, 0.0}, {20, 0.5, 4.0}}, 1)->at_most);
}

TEST(FirstReachedTest, SecondsAreUnknownBesideAnEvaluationWithoutThem) {
  const std::vector<EvaluationPoint> points = {{10, 4, {}}, {20, 3, 1.0}, {30, 2, 2.0}};
  EXPECT_EQ(FirstReached(points, 3.5)->step, 15);
  EXPECT_FALSE(FirstReached(points, 3.5)->seconds);
  EXPECT_EQ(FirstReached(points, 2.5)->seconds, 1.5);
}

TEST(FirstReachedTest, OfACurveThatFlattensOutIsNeverTooEarly) {
  // The loss is exp(-t / 20), so the truth is known.
  std::vector<EvaluationPoint> points;
  for (int t = 0; t <= 100; t += 10) points.push_back({static_cast<double>(t), std::exp(-t / 20.0), t / 4.0});
  for (double target = 0.99; target > points.back().loss; target -= 0.01) {
    const double truth = -20 * std::log(target);
    const auto reached = FirstReached(points, target);
    ASSERT_TRUE(reached) << target;
    EXPECT_GE(reached->step, truth - 1e-9);
    EXPECT_LT(reached->step, truth + 0.7);  // The line is at most this much later for steps of half a time constant.
    EXPECT_NEAR(*reached->seconds, reached->step / 4, 1e-9);
  }
}

TEST(WhenReachedTest, UsesTheMeanOfFinishedSeedsAndTellsSingleOnes) {
  const auto groups =
      GroupRuns({Evaluated("a", 1, {{10, 4}, {20, 2}, {30, 1}}), Evaluated("a", 2, {{10, 6}, {20, 4}, {30, 3}}),
                 Evaluated("a", 3, {{10, 0}}, /*finished=*/false)});
  const auto final = FinalEvaluation(groups[0]);
  ASSERT_TRUE(final);
  EXPECT_EQ(final->step, 30);
  EXPECT_EQ(final->loss, 2);
  GroupReached group = WhenReached(groups[0], final->loss);
  EXPECT_EQ(group.seeds, 2u);
  EXPECT_EQ(group.reached->step, 30);  // A group reaches what it ends at.
  ASSERT_EQ(group.single_seeds.size(), 1u);
  EXPECT_EQ(group.single_seeds[0].step, 20);
  group = WhenReached(groups[0], 4);
  EXPECT_EQ(group.reached->step, 15);
  EXPECT_EQ(group.reached->seconds, 1.5);
  ASSERT_EQ(group.single_seeds.size(), 2u);
  EXPECT_TRUE(group.single_seeds[0].at_most);
  EXPECT_EQ(group.single_seeds[1].step, 20);
  EXPECT_FALSE(WhenReached(groups[0], 0.5).reached);
}

TEST(WhenReachedTest, AGroupReachesItsOwnEndWhateverRoundingDoes) {
  for (int seeds = 1; seeds <= 7; ++seeds) {
    std::vector<RunRecord> runs;
    for (int seed = 1; seed <= seeds; ++seed) runs.push_back(Evaluated("a", seed, {{7, 3}, {19, 0.1 * seed}}));
    const auto groups = GroupRuns(runs);
    const auto reached = WhenReached(groups[0], FinalEvaluation(groups[0])->loss).reached;
    ASSERT_TRUE(reached) << seeds;
    EXPECT_EQ(reached->step, 19);
  }
}

TEST(WhenReachedTest, WithoutFinishedRunsThereIsNothing) {
  const auto groups = GroupRuns({Evaluated("a", 1, {{10, 1}}, /*finished=*/false), Recorded("b", 1)});
  for (const RunGroup& group : groups) {
    EXPECT_FALSE(FinalEvaluation(group));
    EXPECT_FALSE(WhenReached(group, 1).reached);
    EXPECT_EQ(WhenReached(group, 1).seeds, 0u);
  }
}

}  // namespace
}  // namespace twofour::train
