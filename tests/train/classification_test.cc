#include "twofour/train/classification.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstdint>
#include <string_view>
#include <vector>

#include "twofour/core/autograd.h"
#include "twofour/nn/mlp_stack.h"
#include "twofour/nn/module.h"

#include "tests/support/expect_error.h"

namespace twofour::train {
namespace {

using ::testing::HasSubstr;

/// Returns the inputs as logits.
class Identity : public nn::Module {
 public:
  std::string_view type_name() const override { return "Identity"; }
  Tensor Forward(const Tensor& x) override { return x; }
};

InMemoryDataset Samples() {
  return {Tensor::FromVector(std::vector<float>{2, 0, 0,  //
                                                0, 1, 0,  //
                                                0, 3, 0,  //
                                                0, 0, 1,  //
                                                5, 0, 0},
                             {5, 3}),
          Tensor::FromVector(std::vector<int32_t>{0, 1, 2, 2, 1}, {5}), 3};
}

/// Cross-entropy of logits that are all zero except one of height `peak`.
double LossOf(double peak, bool hits) { return std::log(std::exp(peak) + 2) - (hits ? peak : 0); }

TEST(ClassificationTaskTest, EvaluationCountsEverySampleOnceWhateverTheBatch) {
  Identity model;
  const InMemoryDataset data = Samples();
  const NoGradGuard no_grad;
  const double loss = (LossOf(2, true) + LossOf(1, true) + LossOf(3, false) + LossOf(1, true) + LossOf(5, false)) / 5;
  for (const int64_t batch : {1, 2, 3, 5, 100}) {
    const EvalMetrics metrics =
        ClassificationTask(model, data, data, {.batch_size = 1, .eval_batch_size = batch}).Evaluate();
    EXPECT_NEAR(metrics.loss, loss, 1e-6);
    ASSERT_EQ(metrics.details.size(), 1u);
    EXPECT_EQ(metrics.details[0].first, "accuracy");
    EXPECT_DOUBLE_EQ(metrics.details[0].second, 0.6);
  }
}

TEST(ClassificationTaskTest, AnEvaluationEndsBeforeABatchWhereItIsStopped) {
  Identity model;
  const InMemoryDataset data = Samples();
  ClassificationTask task(model, data, data, {.batch_size = 1, .eval_batch_size = 2});
  const NoGradGuard no_grad;
  std::atomic<bool> stop{true};
  EXPECT_FALSE(task.EvaluateUnless(&stop).has_value());
  EXPECT_GT(task.Evaluate().loss, 0);  // The stop was for that one evaluation only.
  stop = false;
  EXPECT_EQ(task.EvaluateUnless(&stop)->loss, task.EvaluateUnless(nullptr)->loss);
}

TEST(ClassificationTaskTest, AnEpochTakesEverySampleOnce) {
  Identity model;
  const InMemoryDataset data = Samples();
  ClassificationTask task(model, data, data, {.batch_size = 1});
  double sum = 0;
  for (uint64_t number = 0; number < 5; ++number) sum += task.Loss(number).item();
  EXPECT_NEAR(sum / 5, task.Evaluate().loss, 1e-6);
  EXPECT_EQ(task.units_per_batch(), 1);
}

TEST(ClassificationTaskTest, AStepTellsTheAccuracyOfItsBatches) {
  Identity model;
  const InMemoryDataset data = Samples();
  ClassificationTask task(model, data, data, {.batch_size = 2, .shuffle = false});
  EXPECT_TRUE(task.TakeStepDetails().empty());
  task.Loss(0);  // Both are right.
  EXPECT_EQ(task.TakeStepDetails(), (MetricDetails{{"accuracy", 1.0}}));
  task.Loss(0);
  task.Loss(1);  // One of two is right.
  EXPECT_EQ(task.TakeStepDetails(), (MetricDetails{{"accuracy", 0.75}}));
  EXPECT_TRUE(task.TakeStepDetails().empty());
}

TEST(ClassificationTaskTest, WeightsAndSmoothingChangeTrainingAlone) {
  Identity model;
  const InMemoryDataset data = Samples();
  ClassificationTask plain(model, data, data, {.batch_size = 5});
  ClassificationTask weighted(model, data, data, {.batch_size = 5, .label_smoothing = 0.2, .class_weights = {1, 0, 3}});
  EXPECT_EQ(plain.Evaluate().loss, weighted.Evaluate().loss);
  // By hand: -log p of class c in each row, weighed.
  double sum = 0, weight = 0;
  const std::vector<double> weights = {1, 0, 3};
  const Batch batch = data.Get(std::vector<int64_t>{0, 1, 2, 3, 4});
  for (int64_t i = 0; i < 5; ++i) {
    const float* const row = batch.inputs.data<float>() + 3 * i;
    const double total = std::exp(row[0]) + std::exp(row[1]) + std::exp(row[2]);
    const auto target = static_cast<size_t>(batch.targets.data<int32_t>()[i]);
    weight += weights[target];
    sum += 0.8 * weights[target] * (std::log(total) - row[target]);
    for (size_t c = 0; c < 3; ++c) sum += 0.2 / 3 * weights[c] * (std::log(total) - row[c]);
  }
  EXPECT_NEAR(weighted.Loss(0).item(), sum / weight, 1e-6);
}

TEST(ClassificationTaskTest, BalancedWeightsGiveEachClassTheSameShare) {
  const InMemoryDataset data = Samples();  // Classes occur once, twice and twice.
  EXPECT_EQ(BalancedClassWeights(data), (std::vector<double>{5.0 / 3, 5.0 / 6, 5.0 / 6}));
  const InMemoryDataset lacking(Tensor::Zeros({3, 1}), Tensor::FromVector(std::vector<int32_t>{0, 0, 2}, {3}), 3);
  EXPECT_EQ(BalancedClassWeights(lacking), (std::vector<double>{0.75, 1, 1.5}));
}

TEST(ClassificationTaskTest, KeepsWhatTheLastEvaluationTookForWhat) {
  Identity model;
  const InMemoryDataset data = Samples();
  ClassificationTask task(model, data, data, {.batch_size = 1, .eval_batch_size = 2});
  EXPECT_FALSE(task.confusion().has_value());
  task.Evaluate();
  EXPECT_EQ(task.Evaluate().count, 5);
  ASSERT_TRUE(task.confusion().has_value());
  EXPECT_EQ(task.confusion()->total(), 5);
  EXPECT_EQ(task.confusion()->correct(), 3);
}

TEST(ClassificationTaskTest, RejectsOptionsOutOfRange) {
  Identity model;
  const InMemoryDataset data = Samples();
  const auto make = [&](const ClassificationOptions& options) { ClassificationTask(model, data, data, options); };
  EXPECT_ERROR(make({.batch_size = 6}), ErrorKind::kInvalidInput, HasSubstr("6"));
  EXPECT_ERROR(make({.batch_size = 2, .eval_batch_size = 0}), ErrorKind::kInvalidInput,
               HasSubstr("eval_batch_size is 0"));
}

/// A data set that says one thing and gives another.
class Liar : public Dataset {
 public:
  int64_t samples = 8, inputs = 16, classes = 4;  // What it says.
  Shape input_shape = {2, 16};
  std::vector<int32_t> labels = {0, 3};
  int64_t size() const override { return samples; }
  int64_t features() const override { return inputs; }
  int64_t num_classes() const override { return classes; }
  Batch Get(std::span<const int64_t>) const override {
    return {Tensor::Zeros(input_shape), Tensor::FromVector(labels, {std::ssize(labels)})};
  }
};

TEST(ClassificationTaskTest, NothingIsBelievedOfADataSet) {
  Generator generator(1);
  nn::MlpStack model({.in_features = 16, .hidden_features = {8}, .out_features = 4}, generator);
  const auto expect = [&](auto lie, const std::string& message) {
    Liar liar;
    lie(liar);
    const Liar honest;
    EXPECT_ERROR(
        {
          ClassificationTask task(model, liar, honest, {.batch_size = 2});
          task.Loss(0);
        },
        ErrorKind::kInvalidInput, HasSubstr(message));
    EXPECT_ERROR(ClassificationTask(model, honest, liar, {.batch_size = 2, .eval_batch_size = 2}).Evaluate(),
                 ErrorKind::kInvalidInput, HasSubstr(message));
  };
  expect([](Liar& d) { d.input_shape = {1, 16}; }, "a batch has inputs f32 [1, 16], expected f32 [2, 16]");
  expect([](Liar& d) { d.input_shape = {2, 5}; }, "a batch has inputs f32 [2, 5], expected f32 [2, 16]");
  expect([](Liar& d) { d.labels = {0}; }, "a batch has targets i32 [1], expected i32 [2]");
  expect([](Liar& d) { d.labels = {0, 4}; }, "is 4, expected 0 to 3");
  expect([](Liar& d) { d.inputs = 5; }, "expected at least 1, and as many in both");
  expect([](Liar& d) { d.classes = 5; }, "expected at least 1, and as many in both");
  Liar empty;
  empty.samples = 0;
  EXPECT_ERROR(ClassificationTask(model, Liar(), empty, {.batch_size = 2}), ErrorKind::kInvalidInput,
               "data sets: 8 samples to train on and 0 to evaluate on, expected at least 1");
}

}  // namespace
}  // namespace twofour::train
