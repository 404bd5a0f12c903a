#include "twofour/train/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "twofour/core/parallel.h"
#include "twofour/nn/residual_mlp.h"
#include "twofour/nn/state_dict.h"
#include "twofour/optim/adamw.h"
#include "twofour/optim/sgd.h"
#include "twofour/train/classification.h"

#include "tests/support/expect_error.h"
#include "tests/support/faulty_file_system.h"
#include "tests/support/temp_dir.h"

namespace twofour::train {
namespace {

using test::FaultyFileSystem;
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
using ::testing::Return;

class MockSink : public MetricSink {
 public:
  MOCK_METHOD(void, OnTrain, (const TrainMetrics&), (override));
  MOCK_METHOD(void, OnEval, (const EvalMetrics&), (override));
  MOCK_METHOD(void, OnSparsity, (const SparsityMetrics&), (override));
  MOCK_METHOD(void, OnActivation, (const ActivationMetrics&), (override));
};

class MockClock : public Clock {
 public:
  MOCK_METHOD(double, Seconds, (), (const, override));
};

/// Points in 16 dimensions whose class is the largest of their first four coordinates.
InMemoryDataset MakeData(int64_t size, uint64_t seed) {
  Tensor inputs = Tensor::Empty({size, 16});
  FillNormal(inputs, 0, 1, {seed, 1, 0});
  std::vector<int32_t> labels;
  for (int64_t i = 0; i < size; ++i) {
    const float* row = inputs.data<float>() + i * 16;
    labels.push_back(static_cast<int32_t>(std::max_element(row, row + 4) - row));
  }
  return {inputs, Tensor::FromVector(labels, {size}), 4};
}

struct JobSetup {
  bool sparse = true;
  int64_t interval = 1;
  double dropout = 0;
  double lr = 1e-2;
  ClassificationOptions task = {.batch_size = 20, .eval_batch_size = 32};
};

/// A model, an optimizer and data that are the same each time.
class Job {
 public:
  explicit Job(TrainerOptions options = {}, JobSetup setup = {}, TrainerServices services = {}) {
    Generator generator(5);
    model_ = std::make_unique<nn::ResidualMlp>(nn::ResidualMlpOptions{.in_features = 16,
                                                                      .width = 16,
                                                                      .hidden_features = 32,
                                                                      .num_blocks = 2,
                                                                      .out_features = 4,
                                                                      .dropout = setup.dropout},
                                               generator);
    if (setup.sparse) {
      nn::SwapLinearWithSemiSparseLinear(*model_, {.include = ".*mlp.*", .sparsity = {.interval = setup.interval}});
    }
    optimizer_ = std::make_unique<optim::AdamW>(optim::DecayMatricesOnly(model_->NamedParameters(), 0.01),
                                                optim::AdamWOptions{.lr = setup.lr});
    task_ = std::make_unique<ClassificationTask>(*model_, train_, eval_, setup.task);
    trainer_ = std::make_unique<Trainer>(*task_, *optimizer_, optim::ConstantLr(setup.lr), options, services);
  }

  Trainer& trainer() { return *trainer_; }
  nn::Module& model() { return *model_; }

  std::vector<std::vector<float>> Weights() {
    std::vector<std::vector<float>> weights;
    for (const Tensor& parameter : model_->Parameters()) weights.push_back(parameter.ToVector());
    return weights;
  }

 private:
  InMemoryDataset train_ = MakeData(200, 1), eval_ = MakeData(70, 2);
  std::unique_ptr<nn::ResidualMlp> model_;
  std::unique_ptr<optim::Optimizer> optimizer_;
  std::unique_ptr<ClassificationTask> task_;
  std::unique_ptr<Trainer> trainer_;
};

TrainerOptions ShortRun() { return {.steps = 12, .eval_every_steps = 5, .log_every_steps = 4}; }

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
  // Other seeds, numbers of steps and instruction sets end between 0.80 and 0.89.
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
  EXPECT_CALL(sink, OnSparsity(_)).Times(3 * 3);  // The other three layers.
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
  // Each step takes 0.5 s by this clock; evaluations in between do not ask for the time.
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

TEST(TrainerTest, ResumedRunEndsWithTheSameBits) {
  for (const int64_t interval : {1, 4}) {
    const JobSetup setup{.interval = interval, .dropout = 0.2};
    TrainerOptions options = ShortRun();
    options.accumulate_steps = 2;
    Job whole(options, setup);
    whole.trainer().Run();
    for (const int64_t stop_at : {1, 5, 7, 11}) {
      const TempDir dir;
      CheckpointStore store(FileSystem::Default(), dir.path(), 1);
      TrainerOptions first = options;
      first.steps = stop_at;
      Job interrupted(first, setup, {.checkpoints = &store});
      interrupted.trainer().Run();
      Job resumed(options, setup);
      resumed.trainer().Restore(CheckpointStore::Load(FileSystem::Default(), *store.Newest()), "checkpoint");
      resumed.trainer().Run();
      EXPECT_EQ(resumed.Weights(), whole.Weights()) << "stopped at " << stop_at << ", interval " << interval;
    }
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

TEST(TrainerTest, StopsAfterTheStepUnderWayWithACheckpoint) {
  const TempDir dir;
  CheckpointStore store(FileSystem::Default(), dir.path(), 1);
  std::atomic<bool> stop{true};
  Job job(ShortRun(), {}, {.checkpoints = &store, .stop = &stop});
  EXPECT_FALSE(job.trainer().Run());
  EXPECT_EQ(job.trainer().state().step, 1);
  EXPECT_EQ(store.Newest(), dir / "step-1");
}

TEST(TrainerTest, SaysOnceThatItIsAboutToWriteAndNotBefore) {
  NiceMock<MockSink> sink;
  std::vector<std::string> events;
  ON_CALL(sink, OnTrain).WillByDefault([&](const TrainMetrics& metrics) {
    events.push_back("step " + std::to_string(metrics.step));
  });
  TrainerServices services{.sink = &sink, .before_writing = [&] { events.push_back("about to write"); }};
  TrainerOptions options{.steps = 4, .eval_every_steps = 0, .log_every_steps = 2};
  Job(options, {}, services).trainer().Run();
  EXPECT_THAT(events, ::testing::ElementsAre("about to write", "step 2", "step 4"));
  // Neither where it fails before its first record nor where there is nothing to do.
  events.clear();
  options.log_every_steps = 3;
  EXPECT_THROW(Job(options, {.lr = 1e30}, services).trainer().Run(), Error);
  options.steps = 0;
  Job(options, {}, services).trainer().Run();
  EXPECT_THAT(events, ::testing::IsEmpty());
}

TEST(TrainerTest, SaysThatItIsAboutToSaveACheckpoint) {
  const TempDir dir;
  CheckpointStore store(FileSystem::Default(), dir / "checkpoints", 3);
  const std::atomic<bool> stop{true};
  bool called = false;
  Job job({.steps = 4, .log_every_steps = 0}, {},
          {.checkpoints = &store,
           .before_writing =
               [&] {
                 called = true;
                 EXPECT_FALSE(store.Newest().has_value());
               },
           .stop = &stop});
  job.trainer().Run();
  EXPECT_TRUE(called && store.Newest().has_value());
}

TEST(TrainerTest, WhereItMayNotWriteItSavesNothing) {
  const TempDir dir;
  CheckpointStore store(FileSystem::Default(), dir / "checkpoints", 3);
  const std::atomic<bool> stop{true};
  Job job({.steps = 4, .log_every_steps = 0}, {},
          {.checkpoints = &store,
           .before_writing = [] { throw Error("no place", ErrorKind::kRuntimeFailure); },
           .stop = &stop});
  EXPECT_ERROR(job.trainer().Run(), ErrorKind::kRuntimeFailure,
               AllOf(HasSubstr("no place"), HasSubstr("there is no checkpoint yet")));
  EXPECT_FALSE(std::filesystem::exists(dir / "checkpoints"));
}

TEST(TrainerTest, SavesTheBestEvaluation) {
  const TempDir dir;
  CheckpointStore store(FileSystem::Default(), dir.path(), 1);
  Job job(ShortRun(), {}, {.checkpoints = &store});
  job.trainer().Run();
  const CheckpointData best = CheckpointStore::Load(FileSystem::Default(), dir / "best");
  EXPECT_EQ(best.state.step, best.state.best_step);
  EXPECT_EQ(best.state.best_step, job.trainer().state().best_step);
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
                       Not(HasSubstr("checkpoint"))));  // Whatever it was restored from is as bad.
    EXPECT_EQ(store.Newest(), std::nullopt);
  }
}

TEST(TrainerTest, AnInfiniteWeightThatNoLossShowsStopsTheRun) {
  // ReLU^2 of -infinity is 0: the loss and all gradients stay finite.
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

TEST(TrainerTest, EvaluateLeavesTheModelInItsMode) {
  Job job(ShortRun());
  job.trainer().Evaluate();
  EXPECT_TRUE(job.model().training());
  job.model().SetTraining(false);
  job.trainer().Evaluate();
  EXPECT_FALSE(job.model().training());
}

TEST(TrainerTest, RestoreChangesNothingWhenTheOptimizersStateIsBad) {
  Job job(ShortRun());
  CheckpointData data{nn::StateDict(job.model()), {}, {3, 0, 0}};
  data.model[0].tensor = Tensor::Full(data.model[0].tensor.shape(), 42);
  const auto before = job.Weights();
  EXPECT_ERROR(job.trainer().Restore(data, "other"), ErrorKind::kInvalidInput, HasSubstr("optimizer.safetensors"));
  EXPECT_EQ(job.Weights(), before);
}

TEST(TrainerTest, AnExplodingRunStopsAndKeepsItsLastGoodCheckpoint) {
  const TempDir dir;
  CheckpointStore store(FileSystem::Default(), dir.path(), 1);
  TrainerOptions options = ShortRun();
  options.steps = 1;
  options.eval_every_steps = 100;
  Job good(options, {}, {.checkpoints = &store});
  good.trainer().Run();
  options.steps = 12;
  Job bad(options, {.lr = 1e30}, {.checkpoints = &store});
  EXPECT_ERROR(bad.trainer().Run(), ErrorKind::kRuntimeFailure, AllOf(HasSubstr("step "), HasSubstr("'")));
  EXPECT_EQ(CheckpointStore::Load(FileSystem::Default(), dir / "last").state.step, 1);
}

TEST(TrainerTest, ADiskThatFillsUpIsReported) {
  const TempDir dir;
  FaultyFileSystem faulty;
  faulty.FailAfterBytes(100);
  CheckpointStore store(faulty, dir.path(), 1);
  Job job(ShortRun(), {}, {.checkpoints = &store});
  EXPECT_ERROR(job.trainer().Run(), ErrorKind::kRuntimeFailure, HasSubstr("step-"));
}

TEST(TrainerTest, RestoreRejectsAnotherModelsCheckpoint) {
  Job job(ShortRun());
  CheckpointData data{nn::StateDict(job.model()), {{"step", Tensor::Scalar(3, DType::kI32)}}, {3, 0, 0}};
  data.model[0].tensor = Tensor::Zeros({2, 2});
  const auto before = job.Weights();
  EXPECT_ERROR(job.trainer().Restore(data, "other"), ErrorKind::kInvalidInput,
               AllOf(HasSubstr("other/model.safetensors: tensor 'input.weight'"), HasSubstr("[2, 2]")));
  data.state.step = 1000;
  EXPECT_ERROR(job.trainer().Restore(data, "other"), ErrorKind::kInvalidInput, HasSubstr("step 1000"));
  EXPECT_EQ(job.Weights(), before);
}

}  // namespace
}  // namespace twofour::train
