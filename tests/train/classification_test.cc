#include "twofour/train/classification.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstdint>
#include <string_view>
#include <vector>

#include "twofour/core/autograd.h"
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

TEST(ClassificationTaskTest, RejectsOptionsOutOfRange) {
  Identity model;
  const InMemoryDataset data = Samples();
  const auto make = [&](const ClassificationOptions& options) { ClassificationTask(model, data, data, options); };
  EXPECT_ERROR(make({.batch_size = 6}), ErrorKind::kInvalidInput, HasSubstr("6"));
  EXPECT_ERROR(make({.batch_size = 2, .eval_batch_size = 0}), ErrorKind::kInvalidInput,
               HasSubstr("eval_batch_size is 0"));
}

}  // namespace
}  // namespace twofour::train
