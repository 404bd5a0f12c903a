// What a Trainer saves, when it saves, and what it restores.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "twofour/nn/state_dict.h"

#include "tests/support/expect_error.h"
#include "tests/support/faulty_file_system.h"
#include "tests/support/temp_dir.h"
#include "tests/train/classification_job.h"

namespace twofour::train {
namespace {

using test::FaultyFileSystem;
using test::Job;
using test::JobSetup;
using test::MockSink;
using test::ShortRun;
using test::TempDir;
using ::testing::_;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::NiceMock;

TEST(TrainerCheckpointTest, ResumedRunEndsWithTheSameBits) {
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

TEST(TrainerCheckpointTest, StopsAfterTheStepUnderWayWithACheckpoint) {
  const TempDir dir;
  CheckpointStore store(FileSystem::Default(), dir.path(), 1);
  std::atomic<bool> stop{true};
  Job job(ShortRun(), {}, {.checkpoints = &store, .stop = &stop});
  EXPECT_FALSE(job.trainer().Run());
  EXPECT_EQ(job.trainer().state().step, 1);
  EXPECT_EQ(store.Newest(), dir / "step-1");
}

TEST(TrainerCheckpointTest, SaysOnceThatItIsAboutToWriteAndNotBefore) {
  NiceMock<MockSink> sink;
  std::vector<std::string> events;
  ON_CALL(sink, OnTrain).WillByDefault([&](const TrainMetrics& metrics) {
    events.push_back("step " + std::to_string(metrics.step));
  });
  TrainerServices services{.sink = &sink, .before_writing = [&] { events.push_back("about to write"); }};
  TrainerOptions options{.steps = 4, .eval_every_steps = 0, .log_every_steps = 2};
  Job(options, {}, services).trainer().Run();
  EXPECT_THAT(events, ::testing::ElementsAre("about to write", "step 2", "step 4"));
  // It says nothing where it fails before its first record, or where there is nothing to do.
  events.clear();
  options.log_every_steps = 3;
  EXPECT_THROW(Job(options, {.lr = 1e30}, services).trainer().Run(), Error);
  options.steps = 0;
  Job(options, {}, services).trainer().Run();
  EXPECT_THAT(events, ::testing::IsEmpty());
}

TEST(TrainerCheckpointTest, SaysThatItIsAboutToSaveACheckpoint) {
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

TEST(TrainerCheckpointTest, WhereItMayNotWriteItSavesNothing) {
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

TEST(TrainerCheckpointTest, SavesTheBestEvaluation) {
  const TempDir dir;
  CheckpointStore store(FileSystem::Default(), dir.path(), 1);
  Job job(ShortRun(), {}, {.checkpoints = &store});
  job.trainer().Run();
  const CheckpointData best = CheckpointStore::Load(FileSystem::Default(), dir / "best");
  EXPECT_EQ(best.state.step, best.state.best_step);
  EXPECT_EQ(best.state.best_step, job.trainer().state().best_step);
}

TEST(TrainerCheckpointTest, RestoreChangesNothingWhenTheOptimizersStateIsBad) {
  Job job(ShortRun());
  CheckpointData data{nn::StateDict(job.model()), {}, {3, 0, 0}};
  data.model[0].tensor = Tensor::Full(data.model[0].tensor.shape(), 42);
  const auto before = job.Weights();
  EXPECT_ERROR(job.trainer().Restore(data, "other"), ErrorKind::kInvalidInput, HasSubstr("optimizer.safetensors"));
  EXPECT_EQ(job.Weights(), before);
}

/// Has a state that fits but cannot be taken over the first time.
class UnluckyOptimizer : public optim::Optimizer {
 public:
  void Step() override {}
  void ZeroGrad() override {}
  double lr() const override { return 0; }
  void set_lr(double) override {}
  int64_t step_count() const override { return 0; }
  std::vector<NamedTensor> Parameters() const override { return {}; }
  void AppendState(std::vector<NamedTensor>&) const override {}
  StateCommit ReadState(StateReader&, int64_t) override {
    return [this] {
      if (!std::exchange(failed_, true)) throw std::bad_alloc();
    };
  }

 private:
  bool failed_ = false;
};

TEST(TrainerCheckpointTest, AfterARestoreThatFailedHalfWayOnlyAnotherOneHelps) {
  Job job(ShortRun());
  UnluckyOptimizer optimizer;
  const InMemoryDataset data = test::MakeData(40, 1);
  ClassificationTask task(job.model(), data, data, {.batch_size = 20, .eval_batch_size = 20});
  Trainer trainer(task, optimizer, optim::ConstantLr(0), {.steps = 4, .eval_every_steps = 2}, {});
  EXPECT_TRUE(trainer.Run());
  EXPECT_TRUE(trainer.last_evaluation_loss().has_value());
  const CheckpointData start{nn::StateDict(job.model()), {{"step", Tensor::Scalar(3, DType::kI32)}}, {3, 0, 0}};
  EXPECT_THROW(trainer.Restore(start, "start"), std::bad_alloc);
  EXPECT_ERROR(trainer.Run(), ErrorKind::kInvalidInput, HasSubstr("trainer: Restore() failed half-way"));
  trainer.Restore(start, "start");
  EXPECT_FALSE(trainer.last_evaluation_loss().has_value());
  EXPECT_TRUE(trainer.Run());
  EXPECT_EQ(trainer.state().step, 4);
}

TEST(TrainerCheckpointTest, AnExplodingRunStopsAndKeepsItsLastGoodCheckpoint) {
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

TEST(TrainerCheckpointTest, ADiskThatFillsUpIsReported) {
  const TempDir dir;
  FaultyFileSystem faulty;
  faulty.FailAfterBytes(100);
  CheckpointStore store(faulty, dir.path(), 1);
  Job job(ShortRun(), {}, {.checkpoints = &store});
  EXPECT_ERROR(job.trainer().Run(), ErrorKind::kRuntimeFailure, HasSubstr("step-"));
}

TEST(TrainerCheckpointTest, RestoreRejectsAnotherModelsCheckpoint) {
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

TEST(TrainerCheckpointTest, RestoreNamesAllFaultsAtOnce) {
  Job job(ShortRun());
  CheckpointData data{nn::StateDict(job.model()), {{"other", Tensor::Scalar(3)}}, {.step = -1, .best_step = 4}};
  data.model[0].tensor = Tensor::Zeros({2, 2});
  data.state.best_scheduled = {.step = -2, .loss = 1, .evaluations_since = -3};
  const auto before = job.Weights();
  EXPECT_ERROR(
      job.trainer().Restore(data, "old"), ErrorKind::kInvalidInput,
      AllOf(HasSubstr("old/model.safetensors: tensor 'input.weight'"), HasSubstr("old/optimizer.safetensors: tensor"),
            HasSubstr("\nold: step is -1, expected 0 to 12\nold: best_step is 4, expected 0 to 0\n"
                      "old: best_scheduled.step is -2, expected 0 to 0\n"
                      "old: best_scheduled.evaluations_since is -3, expected 0 to ")));
  EXPECT_EQ(job.Weights(), before);
  EXPECT_EQ(job.trainer().state().step, 0);
}

}  // namespace
}  // namespace twofour::train
