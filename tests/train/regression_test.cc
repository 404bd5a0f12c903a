#include "twofour/train/regression.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "twofour/core/autograd.h"
#include "twofour/core/error.h"
#include "twofour/nn/mlp_stack.h"

#include "tests/support/tensors.h"

namespace twofour::train {
namespace {

using test::F32;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::ThrowsMessage;
using Loss = RegressionOptions::Loss;

/// A linear model y = 2 x0 - x1 + 0.5 of one output, or of two equal ones.
class Linear : public nn::MlpStack {
 public:
  explicit Linear(int64_t outputs = 1, Generator generator = Generator(1))
      : MlpStack({.in_features = 2, .hidden_features = {}, .out_features = outputs}, generator) {
    for (auto& [name, parameter] : NamedParameters()) {
      float* const data = parameter.mutable_data<float>();
      for (int64_t i = 0; i < parameter.numel(); ++i) {
        data[i] = parameter.rank() == 1 ? 0.5F : i % 2 == 0 ? 2.0F : -1.0F;
      }
    }
  }
};

const Tensor kInputs = F32({1, 0, 0, 1, 2, 2}, {3, 2});  // Predictions: 2.5, -0.5, 2.5.

TEST(RegressionTaskTest, EvaluatesInTheTargetsOwnUnits) {
  Linear model;
  const InMemoryDataset data(kInputs, F32({2, 0, 5}, {3, 1}));
  // Errors are 0.5, -0.5 and -2.5.
  RegressionTask task(model, data, data, {.batch_size = 3, .eval_batch_size = 2, .target_scales = {100}});
  EXPECT_FALSE(task.errors());
  const EvalMetrics metrics = task.Evaluate();
  EXPECT_NEAR(metrics.loss, (0.25 + 0.25 + 6.25) / 3, 1e-6);
  EXPECT_EQ(metrics.count, 3);
  const double mean = 7.0 / 3, variation = 4 + 25 - 3 * mean * mean;
  ASSERT_EQ(metrics.details.size(), 3U);
  EXPECT_THAT(metrics.details[0], Pair("rmse", ::testing::DoubleNear(100 * std::sqrt(6.75 / 3), 1e-4)));
  EXPECT_THAT(metrics.details[1], Pair("mae", ::testing::DoubleNear(100 * 3.5 / 3, 1e-4)));
  EXPECT_THAT(metrics.details[2], Pair("r2", ::testing::DoubleNear(1 - 6.75 / variation, 1e-6)));
  EXPECT_EQ(task.errors()->total(), 3);
}

TEST(RegressionTaskTest, StepsReportTheErrorOfTheirBatches) {
  Linear model;
  const InMemoryDataset data(kInputs, F32({2, 0, 5}, {3, 1}));
  RegressionTask task(model, data, data, {.batch_size = 3, .shuffle = false, .target_scales = {10}});
  EXPECT_NEAR(task.Loss(0).item(), 6.75 / 3, 1e-6);
  const MetricDetails details = task.TakeStepDetails();
  ASSERT_EQ(details.size(), 1U);
  EXPECT_NEAR(details[0].second, 10 * std::sqrt(6.75 / 3), 1e-4);
  EXPECT_THAT(task.TakeStepDetails(), IsEmpty());
}

TEST(RegressionTaskTest, HuberCountsLargeErrorsLess) {
  Linear model;
  const InMemoryDataset data(kInputs, F32({2, 0, 5}, {3, 1}));
  RegressionTask task(model, data, data, {.batch_size = 3, .loss = Loss::kHuber, .huber_delta = 2});
  EXPECT_NEAR(task.Evaluate().loss, (0.125 + 0.125 + 2 * (2.5 - 1)) / 3, 1e-6);
}

TEST(RegressionTaskTest, OfSeveralTargetsOnlyR2IsComparable) {
  Linear model(2);
  const InMemoryDataset data(kInputs, F32({2, 2, 0, 0, 5, 5}, {3, 2}));
  RegressionTask task(model, data, data, {.batch_size = 3});
  const EvalMetrics metrics = task.Evaluate();
  ASSERT_EQ(metrics.details.size(), 1U);
  EXPECT_EQ(metrics.details[0].first, "r2");
  task.Loss(0);
  EXPECT_THAT(task.TakeStepDetails(), IsEmpty());
}

TEST(RegressionTaskTest, RefusesWhatItCannotUse) {
  Linear model;
  const InMemoryDataset classes(kInputs, test::I32({0, 1, 0}, {3}), 2);
  EXPECT_THAT([&] { RegressionTask(model, classes, classes, {.batch_size = 1}); },
              ThrowsMessage<Error>(HasSubstr("data of 2 classes, expected numbers as targets")));
  const InMemoryDataset data(kInputs, F32({2, 0, 5}, {3, 1}));
  const InMemoryDataset two_outputs(kInputs, F32({2, 0, 5, 1, 1, 1}, {3, 2}));
  EXPECT_THAT([&] { RegressionTask(model, data, two_outputs, {.batch_size = 1}); },
              ThrowsMessage<Error>("data sets: 1 outputs to train on and 2 to evaluate on, expected at least 1, and as "
                                   "many in both"));
  EXPECT_THAT([&] { RegressionTask(model, data, data, {.batch_size = 1, .huber_delta = 0}); },
              ThrowsMessage<Error>(HasSubstr("huber_delta")));
  EXPECT_THAT(
      [&] {
        RegressionTask(model, data, data, {.batch_size = 1, .target_scales = {1, 2}});
      },
      ThrowsMessage<Error>(HasSubstr("2 target_scales, expected 1")));
  EXPECT_THAT(
      [&] {
        InMemoryDataset(kInputs, F32({2, 0, 5}, {3}));
      },
      ThrowsMessage<Error>(HasSubstr("dataset: targets are f32 [3], expected f32 [3, outputs]")));
}

}  // namespace
}  // namespace twofour::train
