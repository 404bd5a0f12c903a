// Tests what is left of a run when a step fails half way, or cannot be saved.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <limits>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/expect_error.h"
#include "tests/support/faulty_file_system.h"
#include "tests/support/text_file.h"
#include "tests/train/fragile_run.h"

namespace twofour::train {
namespace {

using test::FaultyFileSystem;
using test::ReadTextFile;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;

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
