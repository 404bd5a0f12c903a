// Tests what is left of a run when one of its steps fails.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "twofour/core/ops/loss.h"
#include "twofour/nn/residual_mlp.h"
#include "twofour/nn/step_hook.h"
#include "twofour/nn/swap.h"
#include "twofour/optim/adamw.h"
#include "twofour/train/trainer.h"

#include "tests/support/expect_error.h"
#include "tests/support/faulty_file_system.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_file.h"
#include "tests/train/ticking_clock.h"

namespace twofour::train {
namespace {

using test::FaultyFileSystem;
using test::ReadTextFile;
using test::TempDir;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;

constexpr int64_t kSamples = 20, kFeatures = 16, kClasses = 4;
constexpr int kEvaluationBatches = 3;

/// Draws each batch anew. A batch, or the evaluation, fails where `before`, or `before_evaluation`, throws.
class FragileTask : public Task {
 public:
  explicit FragileTask(nn::Module& model) : model_(model) {}

  std::function<void(uint64_t number)> before = [](uint64_t) {};
  std::function<void()> before_evaluation = [] {};
  double evaluation_loss = std::numeric_limits<double>::quiet_NaN();  // NaN: the true one.

  nn::Module& model() override { return model_; }
  Tensor Loss(uint64_t number) override {
    // Called only after the forward pass, which may have found new masks, but before the backward pass.
    Tensor loss = LossOf(number);
    before(number);
    return loss;
  }
  EvalMetrics Evaluate() override {
    for (int batch = 0; batch < kEvaluationBatches; ++batch) {
      BeforeEvaluationBatch();
      before_evaluation();
    }
    return {.loss = std::isnan(evaluation_loss) ? LossOf(1'000'000).item() : evaluation_loss};
  }
  int64_t units_per_batch() const override { return kSamples; }
  std::string_view unit() const override { return "samples"; }

 private:
  Tensor LossOf(uint64_t number) {
    Tensor inputs = Tensor::Empty({kSamples, kFeatures});
    FillNormal(inputs, 0, 1, {3, 1, number});
    std::vector<int32_t> labels;
    for (int64_t i = 0; i < kSamples; ++i) labels.push_back(inputs.data<float>()[i * kFeatures] > 0 ? 1 : 2);
    return CrossEntropyLoss(model_.Forward(inputs), Tensor::FromVector(labels, {kSamples}));
  }

  nn::Module& model_;
};

struct RunSetup {
  int64_t checkpoint_every_steps = 3, keep = 2;
  double lr = 1e-2;
  bool evaluate_first = false;
  bool saves = true;
  std::vector<nn::StepHook*> hooks = {};
  std::function<double(double rate, int64_t step)> change_lr = [](double rate, int64_t) { return rate; };
};

/// A run with metrics and checkpoints in its own folder. It continues where the folder was left.
class FragileRun {
 public:
  explicit FragileRun(const std::filesystem::path& dir, const RunSetup& setup = {},
                      FileSystem& files = FileSystem::Default())
      : store_(files, dir, setup.keep), sink_(FileSystem::Default(), dir / "metrics.jsonl") {
    Generator generator(5);
    model_ = std::make_unique<nn::ResidualMlp>(nn::ResidualMlpOptions{.in_features = kFeatures,
                                                                      .width = 16,
                                                                      .hidden_features = 32,
                                                                      .num_blocks = 2,
                                                                      .out_features = kClasses,
                                                                      .dropout = 0.1},
                                               generator);
    nn::SwapLinearWithSemiSparseLinear(*model_, {.include = ".*mlp.*", .sparsity = {.interval = 3}});
    optimizer_ = std::make_unique<optim::AdamW>(optim::DecayMatricesOnly(model_->NamedParameters(), 0.01),
                                                optim::AdamWOptions{.lr = setup.lr});
    task_ = std::make_unique<FragileTask>(*model_);
    const TrainerOptions options{.steps = 12,
                                 .accumulate_steps = 2,
                                 .eval_every_steps = 4,
                                 .log_every_steps = 0,
                                 .checkpoint_every_steps = setup.checkpoint_every_steps,
                                 .evaluate_first = setup.evaluate_first};
    trainer_ = std::make_unique<Trainer>(
        *task_, *optimizer_, [setup](int64_t step) { return setup.change_lr(setup.lr, step); }, options,
        TrainerServices{.sink = &sink_,
                        .checkpoints = setup.saves ? &store_ : nullptr,
                        .clock = &clock_,
                        .hooks = setup.hooks,
                        .stop = &stop_});
    const auto newest = store_.Newest();
    if (!newest) return;
    trainer_->Restore(CheckpointStore::Load(FileSystem::Default(), *newest), "checkpoint");
    TruncateMetrics(dir / "metrics.jsonl", trainer_->state().step, trainer_->state().evaluation_pending);
    store_.PrepareToResume(trainer_->state());
  }

  Trainer& trainer() { return *trainer_; }
  CheckpointStore& store() { return store_; }
  FragileTask& task() { return *task_; }
  std::atomic<bool>& stop() { return stop_; }

 private:
  std::atomic<bool> stop_{false};
  test::TickingClock clock_;  // So that a run in one piece and a resumed one record the same seconds.
  CheckpointStore store_;
  JsonLinesSink sink_;
  std::unique_ptr<nn::ResidualMlp> model_;
  std::unique_ptr<optim::AdamW> optimizer_;
  std::unique_ptr<FragileTask> task_;
  std::unique_ptr<Trainer> trainer_;
};

void FailToRead() { throw Error("cannot read data: gone", ErrorKind::kRuntimeFailure); }

class TrainerFailureTest : public ::testing::Test {
 protected:
  /// Makes a run without failures, with every checkpoint that it could have saved.
  TrainerFailureTest() { FragileRun(whole_, {.checkpoint_every_steps = 1, .keep = 100}).trainer().Run(); }

  void ExpectSavedAsByTheWholeRun(int64_t step) {
    const std::string name = "step-" + std::to_string(step);
    for (const char* file : {"model.safetensors", "optimizer.safetensors", "trainer.json"}) {
      const std::string expected = ReadTextFile(whole_ / name / file);
      EXPECT_FALSE(expected.empty());
      EXPECT_EQ(ReadTextFile(dir_ / name / file), expected) << name << "/" << file;
    }
  }

  /// Continues where the failed run was left, and expects the end of the run without failures.
  void ExpectToEndAsTheWholeRun() {
    EXPECT_TRUE(FragileRun(dir_).trainer().Run());
    ExpectSavedAsByTheWholeRun(12);
    EXPECT_EQ(ReadTextFile(dir_ / "metrics.jsonl"), ReadTextFile(whole_ / "metrics.jsonl"));
    EXPECT_EQ(std::filesystem::read_symlink(dir_ / "best"), std::filesystem::read_symlink(whole_ / "best"));
  }

  void UseAnotherFolder() {
    dir_ += "x";
    std::filesystem::create_directory(dir_);
  }

  TempDir temp_;
  std::filesystem::path dir_ = MakeFolder("run"), whole_ = MakeFolder("whole");

 private:
  std::filesystem::path MakeFolder(const char* name) {
    std::filesystem::create_directory(temp_ / name);
    return temp_ / name;
  }
};

TEST_F(TrainerFailureTest, ABatchThatCannotBeReadLosesNothing) {
  for (const uint64_t batch : {uint64_t{10}, uint64_t{11}, uint64_t{14}}) {  // Two passes of step 6 and one of step 8.
    UseAnotherFolder();
    FragileRun run(dir_);
    run.task().before = [batch](uint64_t number) {
      if (number == batch) FailToRead();
    };
    const int64_t step = static_cast<int64_t>(batch) / 2;
    EXPECT_ERROR(run.trainer().Run(), ErrorKind::kRuntimeFailure,
                 "step " + std::to_string(step + 1) + ": cannot read data: gone; the last checkpoint is " +
                     (dir_ / "step-").string() + std::to_string(step));
    ExpectSavedAsByTheWholeRun(step);
    ExpectToEndAsTheWholeRun();
  }
}

TEST_F(TrainerFailureTest, AStopDuringAnEvaluationEndsItAndTheRunThatGoesOnBeginsWithIt) {
  for (const int64_t step : {4, 8, 12}) {
    for (const int last_batch : {1, 2}) {
      UseAnotherFolder();
      // The second time this stops the evaluation with which the run begins.
      for (int time = 0; time < 2; ++time) {
        FragileRun run(dir_);
        int batches = 0;
        run.task().before_evaluation = [&] {
          if (run.trainer().state().step == step && ++batches == last_batch) run.stop() = true;
        };
        EXPECT_FALSE(run.trainer().Run());
        EXPECT_EQ(batches, last_batch);
        EXPECT_EQ(run.trainer().state().step, step);
        EXPECT_TRUE(run.trainer().state().evaluation_pending);
        EXPECT_TRUE(CheckpointStore::LoadState(FileSystem::Default(), dir_ / "last").evaluation_pending);
      }
      ExpectToEndAsTheWholeRun();
    }
  }
}

TEST_F(TrainerFailureTest, AnEvaluationWhoseLastBatchIsUnderWayCounts) {
  for (const int64_t step : {4, 12}) {
    UseAnotherFolder();
    FragileRun run(dir_);
    int batches = 0;
    run.task().before_evaluation = [&] {
      if (run.trainer().state().step == step && ++batches == kEvaluationBatches) run.stop() = true;
    };
    EXPECT_EQ(run.trainer().Run(), step == 12);
    ExpectSavedAsByTheWholeRun(step);
    ExpectToEndAsTheWholeRun();
  }
}

TEST_F(TrainerFailureTest, AStopDuringTheEvaluationBeforeTheFirstStepWritesNothing) {
  FragileRun run(dir_, {.evaluate_first = true});
  run.task().before_evaluation = [&] { run.stop() = true; };
  EXPECT_FALSE(run.trainer().Run());
  EXPECT_EQ(run.trainer().state().step, 0);
  EXPECT_FALSE(std::filesystem::exists(dir_ / "last"));
  EXPECT_EQ(ReadTextFile(dir_ / "metrics.jsonl"), "");
  const std::filesystem::path first = dir_;
  EXPECT_TRUE(FragileRun(first, {.evaluate_first = true}).trainer().Run());
  UseAnotherFolder();
  EXPECT_TRUE(FragileRun(dir_, {.evaluate_first = true}).trainer().Run());
  EXPECT_EQ(ReadTextFile(first / "metrics.jsonl"), ReadTextFile(dir_ / "metrics.jsonl"));
}

TEST_F(TrainerFailureTest, AnEvaluationThatCannotBeReadLosesNothingAndIsMadeWhenTheRunGoesOn) {
  for (const int64_t step : {4, 8, 12}) {
    UseAnotherFolder();
    {
      FragileRun run(dir_);
      run.task().before_evaluation = [&] {
        if (run.trainer().state().step == step) FailToRead();
      };
      EXPECT_ERROR(run.trainer().Run(), ErrorKind::kRuntimeFailure,
                   AllOf(HasSubstr("step " + std::to_string(step) + ": cannot read data: gone"),
                         EndsWith("the last checkpoint is " + (dir_ / "step-").string() + std::to_string(step))));
    }
    {
      // The data is still unreadable. Nothing is lost this time either.
      FragileRun run(dir_);
      run.task().before_evaluation = FailToRead;
      EXPECT_ERROR(run.trainer().Run(), ErrorKind::kRuntimeFailure, HasSubstr("the last checkpoint is"));
    }
    ExpectToEndAsTheWholeRun();
  }
}

TEST_F(TrainerFailureTest, AnExceptionOfAnotherKindIsReportedInTheSameWay) {
  FragileRun run(dir_);
  run.task().before = [](uint64_t number) {
    if (number == 10) throw std::bad_alloc();
  };
  EXPECT_ERROR(run.trainer().Run(), ErrorKind::kRuntimeFailure,
               AllOf(HasSubstr("step 6: out of memory"), EndsWith("step-5")));
  ExpectToEndAsTheWholeRun();
}

TEST_F(TrainerFailureTest, WhereTheStateIsWholeTheSameTrainerCanGoOn) {
  for (const bool saves : {true, false}) {
    UseAnotherFolder();
    FragileRun run(dir_, {.saves = saves});
    int failures = 0;
    run.task().before = [&](uint64_t number) {
      if (number == 11 && failures == 0) ++failures, FailToRead();
    };
    run.task().before_evaluation = [&] {
      if (run.trainer().state().step == 8 && failures == 1) ++failures, FailToRead();
    };
    EXPECT_ERROR(run.trainer().Run(), ErrorKind::kRuntimeFailure, HasSubstr("step 6: cannot read data"));
    EXPECT_ERROR(run.trainer().Run(), ErrorKind::kRuntimeFailure, HasSubstr("step 8: cannot read data"));
    EXPECT_TRUE(run.trainer().state().evaluation_pending);
    EXPECT_TRUE(run.trainer().Run());
    EXPECT_EQ(ReadTextFile(dir_ / "metrics.jsonl"), ReadTextFile(whole_ / "metrics.jsonl"));
    if (saves) ExpectSavedAsByTheWholeRun(12);
  }
}

TEST_F(TrainerFailureTest, WhereADiskWasFullTheSameTrainerCanGoOn) {
  FaultyFileSystem files;
  FragileRun run(dir_, {}, files);
  files.FailAfterBytes(100);
  EXPECT_ERROR(run.trainer().Run(), ErrorKind::kRuntimeFailure, HasSubstr("cannot write"));
  files.Heal();
  EXPECT_TRUE(run.trainer().Run());
  ExpectSavedAsByTheWholeRun(12);
  EXPECT_EQ(ReadTextFile(dir_ / "metrics.jsonl"), ReadTextFile(whole_ / "metrics.jsonl"));
}

TEST_F(TrainerFailureTest, ABestStepThatCouldNotBeSavedIsSavedWhenTheRunGoesOn) {
  for (const int64_t best : {8, 12}) {
    UseAnotherFolder();
    FaultyFileSystem files;
    FragileRun run(dir_, {}, files);
    bool failed = false;
    run.task().before_evaluation = [&] {
      const int64_t step = run.trainer().state().step;
      run.task().evaluation_loss = step < best ? 0.9 : step == best ? 0.5 : 0.7;
      if (step == best && !std::exchange(failed, true)) files.FailAfterBytes(100);
    };
    EXPECT_ERROR(run.trainer().Run(), ErrorKind::kRuntimeFailure, HasSubstr("cannot write"));
    // The disk is still full.
    EXPECT_ERROR(run.trainer().Run(), ErrorKind::kRuntimeFailure, HasSubstr("cannot write"));
    files.Heal();
    EXPECT_TRUE(run.trainer().Run());
    EXPECT_EQ(run.trainer().state().best_step, best);
    EXPECT_EQ(run.trainer().state().best_loss, 0.5);
    EXPECT_EQ(CheckpointStore::LoadState(FileSystem::Default(), dir_ / "best").step, best);
    for (const char* file : {"model.safetensors", "optimizer.safetensors"}) {
      const std::string name = "step-" + std::to_string(best);
      EXPECT_EQ(ReadTextFile(dir_ / "best" / file), ReadTextFile(whole_ / name / file));
    }
  }
}

TEST_F(TrainerFailureTest, ALearningRateThatIsRefusedLosesNothing) {
  for (const double bad : {std::nan(""), -1.0, 1e39}) {
    UseAnotherFolder();
    bool failed = false;
    FragileRun run(dir_, {.change_lr = [&](double lr, int64_t step) {
                     return step == 5 && !std::exchange(failed, true) ? bad : lr;
                   }});
    EXPECT_ERROR(run.trainer().Run(), ErrorKind::kInvalidInput,
                 AllOf(HasSubstr("step 6: the schedule's lr is "), EndsWith((dir_ / "step-5").string())));
    ExpectSavedAsByTheWholeRun(5);
    EXPECT_TRUE(run.trainer().Run());
    ExpectSavedAsByTheWholeRun(12);
    EXPECT_EQ(ReadTextFile(dir_ / "metrics.jsonl"), ReadTextFile(whole_ / "metrics.jsonl"));
  }
}

/// Fails once, in one call of step 6.
struct FailingHook : public nn::StepHook {
  enum class Call { kBeforeStep, kAfterBackward, kBeforeUpdate, kAfterUpdate, kAfterStep };
  explicit FailingHook(Call call) : failing(call) {}

  void BeforeStep(const nn::StepContext& step) override { Fail(Call::kBeforeStep, step); }
  void AfterBackward(const nn::StepContext& step) override { Fail(Call::kAfterBackward, step); }
  void BeforeUpdate(const nn::StepContext& step) override { Fail(Call::kBeforeUpdate, step); }
  void AfterUpdate(const nn::StepContext& step) override { Fail(Call::kAfterUpdate, step); }
  void AfterStep(const nn::StepContext& step) override { Fail(Call::kAfterStep, step); }

  void Fail(Call call, const nn::StepContext& step) {
    if (call == failing && step.step == 5 && !std::exchange(failed, true)) throw Error("hook failed");
  }

  Call failing;
  bool failed = false;
};

TEST_F(TrainerFailureTest, WhereAStepFailedHalfWayTheTrainerGoesOnOnlyFromACheckpoint) {
  using Call = FailingHook::Call;
  for (const Call call : {Call::kAfterBackward, Call::kBeforeUpdate, Call::kAfterUpdate, Call::kAfterStep}) {
    UseAnotherFolder();
    FailingHook hook(call);
    FragileRun run(dir_, {.hooks = {&hook}});
    EXPECT_ERROR(run.trainer().Run(), ErrorKind::kInvalidInput, HasSubstr("step 6: hook failed"));
    for (int time = 0; time < 2; ++time) {
      EXPECT_ERROR(run.trainer().Run(), ErrorKind::kInvalidInput,
                   AllOf(HasSubstr("step 6 failed half-way"), HasSubstr("Restore()")));
    }
    const std::filesystem::path newest = *run.store().Newest();
    EXPECT_EQ(newest, dir_ / "step-4");
    run.trainer().Restore(CheckpointStore::Load(FileSystem::Default(), newest), "checkpoint");
    EXPECT_TRUE(run.trainer().Run());
    ExpectSavedAsByTheWholeRun(12);
  }
}

TEST_F(TrainerFailureTest, AHookThatFailsBeforeTheStepLosesNothing) {
  FailingHook hook(FailingHook::Call::kBeforeStep);
  FragileRun run(dir_, {.hooks = {&hook}});
  EXPECT_ERROR(run.trainer().Run(), ErrorKind::kInvalidInput, EndsWith("step-5"));
  ExpectSavedAsByTheWholeRun(5);
  EXPECT_TRUE(run.trainer().Run());
  ExpectSavedAsByTheWholeRun(12);
  EXPECT_EQ(ReadTextFile(dir_ / "metrics.jsonl"), ReadTextFile(whole_ / "metrics.jsonl"));
}

TEST_F(TrainerFailureTest, InTheFirstStepThereIsNothingToSave) {
  FragileRun run(dir_);
  run.task().before = [](uint64_t) { FailToRead(); };
  EXPECT_ERROR(run.trainer().Run(), ErrorKind::kRuntimeFailure,
               "step 1: cannot read data: gone; there is no checkpoint yet");
  EXPECT_FALSE(std::filesystem::exists(dir_ / "last"));
}

TEST_F(TrainerFailureTest, WhatIsNotFiniteIsNeverSaved) {
  FragileRun run(dir_, {.lr = 1e30});
  EXPECT_ERROR(run.trainer().Run(), ErrorKind::kRuntimeFailure, HasSubstr("there is no checkpoint yet"));
  EXPECT_FALSE(std::filesystem::exists(dir_ / "last"));

  // A model is not saved either where the evaluation is not finite. The checkpoint before it stays the last one.
  FragileRun evaluated(dir_);
  evaluated.task().evaluation_loss = std::numeric_limits<double>::infinity();
  EXPECT_ERROR(evaluated.trainer().Run(), ErrorKind::kRuntimeFailure,
               AllOf(HasSubstr("step 4: the evaluation loss is inf"), EndsWith("step-3")));
}

TEST_F(TrainerFailureTest, ADiskThatIsFullNamesTheLastCheckpoint) {
  FaultyFileSystem files;
  FragileRun run(dir_, {}, files);
  run.task().before = [&files](uint64_t number) {
    if (number == 11) files.FailAfterBytes(100);  // Step 6 would be saved here.
  };
  EXPECT_ERROR(
      run.trainer().Run(), ErrorKind::kRuntimeFailure,
      AllOf(HasSubstr("step 6: cannot write"), EndsWith("the last checkpoint is " + (dir_ / "step-4").string())));
  ExpectToEndAsTheWholeRun();
}

TEST_F(TrainerFailureTest, WhereTheFailedStepCannotBeSavedBothReasonsAreSaid) {
  FaultyFileSystem files;
  FragileRun run(dir_, {}, files);
  run.task().before = [&files](uint64_t number) {
    if (number != 11) return;
    files.FailAfterBytes(100);
    FailToRead();
  };
  EXPECT_ERROR(
      run.trainer().Run(), ErrorKind::kRuntimeFailure,
      AllOf(HasSubstr("step 6: cannot read data: gone; no checkpoint of step 5 could be written: cannot write"),
            HasSubstr("No space left")));
  ExpectToEndAsTheWholeRun();
}

}  // namespace
}  // namespace twofour::train
