#include "twofour/train/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "twofour/core/parallel.h"
#include "twofour/optim/sgd.h"

#include "tests/support/expect_error.h"
#include "tests/support/temp_dir.h"
#include "tests/train/classification_job.h"

namespace twofour::train {
namespace {

using test::Job;
using test::MockSink;
using test::ShortRun;
using test::TempDir;
using ::testing::_;
using ::testing::AllOf;
using ::testing::DoubleEq;
using ::testing::DoubleNear;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::InSequence;
using ::testing::NiceMock;
using ::testing::Not;

class MockClock : public Clock {
 public:
  MOCK_METHOD(double, Seconds, (), (const, override));
};

double Accuracy(Trainer& trainer) {
  const EvalMetrics metrics = trainer.Evaluate();
  EXPECT_EQ(metrics.details.at(0).first, "accuracy");
  return metrics.details.at(0).second;
}

TEST(TrainerTest, Learns) {
  Job job({.steps = 400, .eval_every_steps = 1000}, {.task = {.batch_size = 50}});
  const double before = Accuracy(job.trainer());
  EXPECT_TRUE(job.trainer().Run());
  EXPECT_LT(before, 0.6);
  // With other seeds, numbers of steps and instruction sets it ends between 0.80 and 0.89.
  EXPECT_GT(Accuracy(job.trainer()), 0.75);
}

TEST(TrainerTest, RecordsAtTheIntervalsAskedForAndAtTheEnd) {
  NiceMock<MockSink> sink;
  {
    InSequence in_order;
    EXPECT_CALL(sink, OnTrain(AllOf(Field(&TrainMetrics::step, 4), Field(&TrainMetrics::lr, 1e-2))));
    EXPECT_CALL(sink, OnEval(Field(&EvalMetrics::step, 5)));
    EXPECT_CALL(sink, OnTrain(Field(&TrainMetrics::step, 8)));
    EXPECT_CALL(sink, OnEval(Field(&EvalMetrics::step, 10)));
    EXPECT_CALL(sink, OnTrain(Field(&TrainMetrics::step, 12)));
    EXPECT_CALL(sink, OnEval(Field(&EvalMetrics::step, 12)));
  }
  EXPECT_CALL(sink, OnSparsity(_)).Times(3 * 3);  // These are the calls for the other three layers.
  EXPECT_CALL(sink, OnSparsity(AllOf(
                        Field(&SparsityMetrics::layer, "blocks.1.mlp.c_proj"),
                        Field(&SparsityMetrics::retained_l1, AllOf(::testing::Gt(0.5), ::testing::Lt(1))),
                        Field(&SparsityMetrics::activation_density, AllOf(::testing::Gt(0.1), ::testing::Lt(0.9))))))
      .Times(3);
  Job job(ShortRun(), {}, {.sink = &sink});
  job.trainer().Run();
}

TEST(TrainerTest, RecordsTheDensityOfHiddenActivationsDenseAndSparse) {
  const auto half_or_so = Field(&ActivationMetrics::density, AllOf(::testing::Gt(0.2), ::testing::Lt(0.8)));
  for (const bool sparse : {false, true}) {
    NiceMock<MockSink> sink;
    for (const char* layer : {"blocks.0.mlp", "blocks.1.mlp"}) {
      EXPECT_CALL(sink, OnActivation(AllOf(Field(&ActivationMetrics::layer, layer), half_or_so))).Times(3);
    }
    Job job(ShortRun(), {.sparse = sparse}, {.sink = &sink});
    job.trainer().Run();
  }
}

TEST(TrainerTest, MeasuresTrainingTimeOnly) {
  // Each step takes 0.5 s by this clock; evaluations in between do not read it.
  NiceMock<MockClock> clock;
  double now = 0;
  ON_CALL(clock, Seconds()).WillByDefault([&now] { return now += 0.5; });
  NiceMock<MockSink> sink;
  EXPECT_CALL(sink, OnTrain(Field(&TrainMetrics::units_per_s, DoubleEq(20 / 0.5)))).Times(3);
  Job job(ShortRun(), {}, {.sink = &sink, .clock = &clock});
  job.trainer().Run();
}

TEST(TrainerTest, EvaluationTakesEverySampleOnce) {
  // 70 samples in batches of 32, 32 and 6: the mean must weigh samples, not batches.
  Job one(ShortRun(), {.task = {.eval_batch_size = 1}}), many(ShortRun(), {.task = {.eval_batch_size = 32}});
  EXPECT_THAT(one.trainer().Evaluate().loss, DoubleNear(many.trainer().Evaluate().loss, 1e-6));
  EXPECT_EQ(Accuracy(one.trainer()), Accuracy(many.trainer()));
}

TEST(TrainerTest, EvaluationAndLoggingDoNotChangeTheRun) {
  for (const int64_t interval : {1, 3}) {
    TrainerOptions often = ShortRun(), seldom = ShortRun();
    often.eval_every_steps = often.log_every_steps = 1;
    seldom.eval_every_steps = seldom.log_every_steps = 1000;
    NiceMock<MockSink> sink;
    Job a(often, {.interval = interval, .dropout = 0.1}, {.sink = &sink}),
        b(seldom, {.interval = interval, .dropout = 0.1});
    a.trainer().Run();
    b.trainer().Run();
    EXPECT_EQ(a.Weights(), b.Weights());
  }
}

TEST(TrainerTest, AccumulatedGradientsAreThoseOfTheLargerBatch) {
  // In file order, four passes of 5 samples see what one pass of 20 sees.
  TrainerOptions whole = ShortRun(), parts = ShortRun();
  parts.accumulate_steps = 4;
  whole.steps = parts.steps = 1;
  Job a(whole, {.sparse = false, .task = {.batch_size = 20, .shuffle = false}});
  Job b(parts, {.sparse = false, .task = {.batch_size = 5, .shuffle = false}});
  a.trainer().Run();
  b.trainer().Run();
  const std::vector<Tensor> grads_a = a.model().Parameters(), grads_b = b.model().Parameters();
  for (size_t i = 0; i < grads_a.size(); ++i) {
    const std::vector<float> x = grads_a[i].grad().ToVector(), y = grads_b[i].grad().ToVector();
    for (size_t j = 0; j < x.size(); ++j) ASSERT_NEAR(x[j], y[j], 1e-6);
  }
}

TEST(TrainerTest, ThreadsDoNotChangeTheRun) {
  std::vector<std::vector<std::vector<float>>> results;
  for (const int threads : {1, 2, 3}) {
    SetNumThreads(threads);
    Job job(ShortRun(), {.dropout = 0.1, .task = {.batch_size = 200}});
    job.trainer().Run();
    results.push_back(job.Weights());
  }
  SetNumThreads(0);
  EXPECT_EQ(results[0], results[1]);
  EXPECT_EQ(results[0], results[2]);
}

TEST(TrainerTest, ABadWeightStopsTheRunNamingStepAndParameter) {
  for (const bool sparse : {true, false}) {
    const TempDir dir;
    CheckpointStore store(FileSystem::Default(), dir.path(), 1);
    Job job(ShortRun(), {.sparse = sparse}, {.checkpoints = &store});
    for (NamedTensor& parameter : job.model().NamedParameters()) {
      if (parameter.name == "blocks.1.mlp.c_fc.weight") {
        parameter.tensor.mutable_data<float>()[3] = std::numeric_limits<float>::quiet_NaN();
      }
    }
    EXPECT_ERROR(job.trainer().Run(), ErrorKind::kRuntimeFailure,
                 AllOf(HasSubstr("before step 1"), HasSubstr("blocks.1.mlp.c_fc.weight"), HasSubstr("nan"),
                       Not(HasSubstr("checkpoint"))));  // Continuing from one would fail again.
    EXPECT_EQ(store.Newest(), std::nullopt);
  }
}

TEST(TrainerTest, AnInfiniteWeightThatNoLossShowsStopsTheRun) {
  // ReLU^2 of -infinity is 0, so the loss and all gradients stay finite.
  Job job(ShortRun(), {.sparse = false});
  for (NamedTensor& parameter : job.model().NamedParameters()) {
    if (parameter.name == "blocks.0.mlp.c_fc.bias") {
      parameter.tensor.mutable_data<float>()[0] = -std::numeric_limits<float>::infinity();
    }
  }
  EXPECT_ERROR(job.trainer().Run(), ErrorKind::kRuntimeFailure,
               AllOf(HasSubstr("step 1: "), HasSubstr("'blocks.0.mlp.c_fc.bias' holds -inf")));
}

TEST(TrainerTest, RejectsOptionsOutOfRange) {
  const auto with = [](auto change) {
    TrainerOptions options = ShortRun();
    change(options);
    return options;
  };
  EXPECT_ERROR(Job{with([](auto& o) { o.accumulate_steps = 0; })}, ErrorKind::kInvalidInput,
               HasSubstr("accumulate_steps is 0"));
  EXPECT_ERROR(Job{with([](auto& o) { o.log_every_steps = -1; })}, ErrorKind::kInvalidInput,
               HasSubstr("log_every_steps is -1"));
  EXPECT_ERROR(Job{with([](auto& o) { o.clip_grad_norm = std::nan(""); })}, ErrorKind::kInvalidInput,
               HasSubstr("clip_grad_norm is nan"));
  EXPECT_ERROR(Job{with([](auto& o) { o.steps = o.eval_every_steps = -2; })}, ErrorKind::kInvalidInput,
               "trainer: steps is -2, expected 0 to 1099511627776\n"
               "trainer: eval_every_steps is -2, expected 0 to 1099511627776");
}

TEST(TrainerTest, RejectsServicesThatAreMissing) {
  nn::StepHook hook;
  EXPECT_ERROR(Job({}, {}, {.clock = nullptr, .hooks = {&hook, nullptr, nullptr}}), ErrorKind::kInvalidInput,
               "trainer: clock is null, expected a clock\ntrainer: hooks[1] is null, expected a hook\n"
               "trainer: hooks[2] is null, expected a hook");
  Job job;
  optim::Sgd sgd(job.model().Parameters(), {.lr = 0.1});
  const InMemoryDataset data = test::MakeData(20, 1);
  ClassificationTask task(job.model(), data, data, {.batch_size = 20});
  EXPECT_ERROR(Trainer(task, sgd, nullptr, {}, {}), ErrorKind::kInvalidInput, HasSubstr("lr_schedule is empty"));
}

TEST(TrainerTest, AnIntervalOfZeroMeansNever) {
  TrainerOptions options = ShortRun();
  options.log_every_steps = options.eval_every_steps = 0;
  NiceMock<MockSink> sink;
  EXPECT_CALL(sink, OnTrain(_)).Times(0);
  EXPECT_CALL(sink, OnEval(Field(&EvalMetrics::step, 12)));
  Job job(options, {}, {.sink = &sink});
  EXPECT_TRUE(job.trainer().Run());
}

TEST(TrainerTest, LayersMayBeSwappedBeforeItRuns) {
  Job job(ShortRun(), {.sparse = false});
  const sparse::SparsitySchedule late({.begin_step = 6});
  nn::SwapLinearWithSemiSparseLinear(
      job.model(), {.include = ".*mlp.*", .sparsity = {.plan = sparse::MaskPlan({.schedule = late})}});
  EXPECT_TRUE(job.trainer().Run());
  const auto layers = nn::FindSemiSparseLinears(job.model());
  ASSERT_FALSE(layers.empty());
  // Who trains must have told the layers the step, or the schedule would not have begun.
  for (const auto& [name, layer] : layers) EXPECT_EQ(layer->mask().CountKept() * 2, layer->weight().numel()) << name;

  Job sparse(ShortRun());
  nn::SwapSemiSparseLinearWithLinear(sparse.model(), /*apply_mask=*/true);  // The trainer's layers are gone.
  EXPECT_TRUE(sparse.trainer().Run());
}

TEST(TrainerTest, EvaluateLeavesTheModelInItsMode) {
  Job job(ShortRun());
  job.trainer().Evaluate();
  EXPECT_TRUE(job.model().training());
  job.model().SetTraining(false);
  job.trainer().Evaluate();
  EXPECT_FALSE(job.model().training());
}

}  // namespace
}  // namespace twofour::train
