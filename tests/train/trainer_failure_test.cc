// Tests what is left of a run when a batch or an evaluation cannot be read.
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

}  // namespace
}  // namespace twofour::train
