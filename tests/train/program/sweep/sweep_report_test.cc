#include "twofour/train/program/sweep/sweep_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/expect_error.h"
#include "tests/train/program/sweep/sweep_files.h"

namespace twofour::train {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class SweepReportTest : public test::SweepFiles {
 protected:
  SweepRecord Begin() { return BeginRecord(plan_, FindRunStates(files_, plan_), std::nullopt); }

  FileSystem& files_ = FileSystem::Default();
  SweepPlan plan_ =
      Plan("axis { variant { name: 'a' } variant { name: 'b' set: 'training.steps=8' } } seed: [1, 2] baseline: 'b'");
};

TEST_F(SweepReportTest, AddsRunsThatLeftNothing) {
  SweepRecord record = Begin();
  record.runs[1].outcome = RunOutcome::kFailed;
  record.runs[1].reason = "exit code 2";
  ReportOptions options;
  AddSweepRuns(record, plan_.folder, false, options);
  EXPECT_THAT(options.runs,
              ElementsAre(dir_ / "out/a/seed-1", dir_ / "out/b/seed-1", dir_ / "out/a/seed-2", dir_ / "out/b/seed-2"));
  const PlannedRunRecord& planned = options.planned.at(dir_ / "out/b/seed-1");
  EXPECT_EQ(planned.outcome, RunOutcome::kFailed);
  EXPECT_EQ(planned.reason, "exit code 2");
  EXPECT_EQ(planned.config.name(), "b");
}

TEST_F(SweepReportTest, WhatIsUnderWayInASweepThatEndedWasInterrupted) {
  SweepRecord record = Begin();
  record.runs[0].outcome = RunOutcome::kUnderWay;
  ReportOptions now, later;
  AddSweepRuns(record, plan_.folder, true, now);
  AddSweepRuns(record, plan_.folder, false, later);
  EXPECT_EQ(now.planned.at(dir_ / "out/a/seed-1").outcome, RunOutcome::kUnderWay);
  EXPECT_EQ(later.planned.at(dir_ / "out/a/seed-1").outcome, RunOutcome::kInterrupted);
}

TEST_F(SweepReportTest, AConfigThatIsNotValidIsToldOfInOneLine) {
  SweepRecord record = Begin();
  record.runs[2].set = {"training.steps=-1", "training.batch_size=-1"};
  ReportOptions options;
  EXPECT_ERROR(AddSweepRuns(record, plan_.folder, false, options), ErrorKind::kInvalidInput,
               AllOf(HasSubstr("out/sweep.json: a/seed-2: config: training.steps: -1"), Not(HasSubstr("\n"))));
}

TEST_F(SweepReportTest, TheBaselineMustHaveAFinishedRun) {
  const SweepRecord record = Begin();
  EXPECT_EQ(BaselineOf(files_, record, plan_.folder), "");
  LeaveRun(plan_.runs[0], true);
  EXPECT_EQ(BaselineOf(files_, record, plan_.folder), "a");
  LeaveRun(plan_.runs[3], true);
  EXPECT_EQ(BaselineOf(files_, record, plan_.folder), "b");
}

}  // namespace
}  // namespace twofour::train
