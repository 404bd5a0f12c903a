#include "twofour/train/program/sweep/sweep_recorder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/faulty_file_system.h"
#include "tests/train/program/sweep/sweep_files.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;
using test::FaultyFileSystem;
using test::WriteTextFile;
using ::testing::_;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class MockObserver : public SweepObserver {
 public:
  MOCK_METHOD(void, OnStart, (const PlannedRun&, bool), (override));
  MOCK_METHOD(void, OnEnd, (const PlannedRun&, const RunEnd&, const SweepProgress&), (override));
  MOCK_METHOD(void, OnStopping, (size_t), (override));
};

class SweepRecorderTest : public test::SweepFiles {
 protected:
  SweepRecorderTest() {
    for (const PlannedRun& run : plan_.runs) fs::create_directories(run.folder.parent_path());
  }

  SweepRecord Begin() { return BeginRecord(plan_, FindRunStates(files_, plan_), std::nullopt); }
  void Log(size_t run, const std::string& text) { WriteTextFile(plan_.runs[run].log(), text); }
  /// What the file says about a run.
  RecordedRun Recorded(size_t run) { return LoadSweepRecord(files_, plan_.folder).value().runs.at(run); }

  FileSystem& files_ = FileSystem::Default();
  SweepPlan plan_ = Plan("seed: [1, 2, 3]");
  ::testing::NiceMock<MockObserver> next_;
  std::vector<std::string> warnings_;
  std::function<void(const std::string&)> warn_ = [this](const std::string& note) { warnings_.push_back(note); };
};

TEST_F(SweepRecorderTest, WritesWhateverHappensAndPassesItOn) {
  EXPECT_CALL(next_, OnStart(_, false));
  EXPECT_CALL(next_, OnEnd).Times(2);
  EXPECT_CALL(next_, OnStopping(2));
  SweepRecorder recorder(files_, plan_.folder, Begin(), next_, warn_);
  EXPECT_EQ(Recorded(0).outcome, RunOutcome::kNotStarted);
  recorder.OnStart(plan_.runs[0], false);
  EXPECT_EQ(Recorded(0).outcome, RunOutcome::kUnderWay);
  recorder.OnEnd(plan_.runs[0], {RunEnd::Kind::kFinished, "", 1}, {});
  EXPECT_EQ(Recorded(0).outcome, RunOutcome::kFinished);
  recorder.OnEnd(plan_.runs[1], {RunEnd::Kind::kSkipped, "needs base seed 9, which failed"}, {});
  EXPECT_EQ(Recorded(1).outcome, RunOutcome::kSkipped);
  EXPECT_EQ(Recorded(1).reason, "needs base seed 9, which failed");
  recorder.OnStopping(2);
  recorder.OnStopped(15);
  EXPECT_EQ(Recorded(2).outcome, RunOutcome::kNotStarted);
  EXPECT_EQ(Recorded(2).reason, "the sweep was stopped by signal 15");
  EXPECT_EQ(Recorded(1).reason, "needs base seed 9, which failed");
  EXPECT_THAT(warnings_, IsEmpty());
}

TEST_F(SweepRecorderTest, AReasonEndsWithTheLastWordsOfTheLog) {
  SweepRecorder recorder(files_, plan_.folder, Begin(), next_, warn_);
  const auto end = [&](RunEnd::Kind kind, const std::string& reason, const std::string& log) {
    recorder.OnStart(plan_.runs[0], false);
    Log(0, log);
    recorder.OnEnd(plan_.runs[0], {kind, reason, 1}, {});
    return Recorded(0).reason;
  };
  EXPECT_EQ(end(RunEnd::Kind::kFailed, "exit code 1", "step 1\ntrainer: step 2: the loss is nan\n"),
            "exit code 1: step 2: the loss is nan");
  EXPECT_EQ(end(RunEnd::Kind::kFailed, "ended by signal 9 (Killed)", "step 1\nstep 2/6  loss 0.5\n\n"),
            "ended by signal 9 (Killed); its last line: step 2/6  loss 0.5");
  EXPECT_EQ(end(RunEnd::Kind::kTimedOut, "took longer than 3 s", "\n"), "took longer than 3 s");
  EXPECT_EQ(end(RunEnd::Kind::kFinished, "", "done\n"), "");
  EXPECT_EQ(end(RunEnd::Kind::kNotStarted, "no more processes", "of an earlier start\n"), "no more processes");
}

TEST_F(SweepRecorderTest, WhatAnEarlierStartSaidIsNoReason) {
  SweepRecorder recorder(files_, plan_.folder, Begin(), next_, warn_);
  Log(0, "trainer: the disk is full\n");
  recorder.OnStart(plan_.runs[0], /*goes_on=*/true);
  Log(0, "trainer: the disk is full\nresuming after step 2\n");
  recorder.OnEnd(plan_.runs[0], {RunEnd::Kind::kFailed, "ended by signal 9", 1}, {});
  EXPECT_EQ(Recorded(0).reason, "ended by signal 9; its last line: resuming after step 2");
}

TEST_F(SweepRecorderTest, ADiskThatIsFullEndsNothingAndIsToldOfOnce) {
  FaultyFileSystem disk;
  disk.FailAfterBytes(10);
  EXPECT_CALL(next_, OnEnd).Times(2);
  SweepRecorder recorder(disk, plan_.folder, Begin(), next_, warn_);
  recorder.OnStart(plan_.runs[0], false);
  recorder.OnEnd(plan_.runs[0], {RunEnd::Kind::kFailed, "exit code 1", 1}, {});
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("sweep.json")));
  EXPECT_EQ(recorder.record().runs[0].outcome, RunOutcome::kFailed);
  disk.Heal();
  recorder.OnEnd(plan_.runs[1], {RunEnd::Kind::kFinished, "", 1}, {});
  EXPECT_EQ(Recorded(0).outcome, RunOutcome::kFailed);  // The failed write was repeated.
  EXPECT_THAT(warnings_, SizeIs(1));
}

}  // namespace
}  // namespace twofour::train
