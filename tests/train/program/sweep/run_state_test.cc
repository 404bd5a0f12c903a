#include "twofour/train/program/sweep/run_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "twofour/core/io/file_checksum.h"
#include "twofour/train/data_record.h"

#include "tests/support/expect_error.h"
#include "tests/train/program/sweep/sweep_files.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;
using test::WriteTextFile;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;

class RunStateTest : public test::SweepFiles {
 protected:
  std::vector<RunState> States(const SweepPlan& plan) { return FindRunStates(FileSystem::Default(), plan); }
};

TEST_F(RunStateTest, TellsNewInterruptedAndFinishedRunsApart) {
  const SweepPlan plan = Plan("seed: [1, 2, 3, 4]");
  fs::create_directories(plan.runs[1].folder);
  LeaveRun(plan.runs[2], false);
  LeaveRun(plan.runs[3], true);
  EXPECT_THAT(States(plan), ElementsAre(RunState::kNew, RunState::kNew, RunState::kInterrupted, RunState::kFinished));
}

TEST_F(RunStateTest, TheSweepsOwnFolderHoldsASweepOrNothing) {
  const SweepPlan plan = Plan("");
  WriteTextFile(dir_ / "out", "a file");
  EXPECT_ERROR(States(plan), ErrorKind::kInvalidInput, HasSubstr(Path("out: no folder")));
  fs::remove(dir_ / "out");
  fs::create_directory(dir_ / "out");
  EXPECT_THAT(States(plan), ElementsAre(RunState::kNew));
  WriteTextFile(dir_ / "out/notes.txt", "mine");
  EXPECT_ERROR(States(plan), ErrorKind::kInvalidInput, AllOf(HasSubstr(Path("out: holds")), HasSubstr("--out")));
  WriteTextFile(dir_ / "out/sweep.json", "{}");
  EXPECT_THAT(States(plan), ElementsAre(RunState::kNew));
  fs::remove(dir_ / "out/sweep.json");
  fs::create_directories(plan.runs[0].folder);  // That of a sweep without a record.
  EXPECT_THAT(States(plan), ElementsAre(RunState::kNew));
  WriteTextFile(dir_ / "out/config.pbtxt", "seed: 1");
  EXPECT_ERROR(States(plan), ErrorKind::kInvalidInput, HasSubstr(Path("out: the folder of a run")));
}

TEST_F(RunStateTest, ThreadsMayDiffer) {
  LeaveRun(Plan("threads_per_run: 1").runs[0], true);
  EXPECT_THAT(States(Plan("threads_per_run: 2")), ElementsAre(RunState::kFinished));
}

TEST_F(RunStateTest, AFieldAtItsDefaultMakesNoOtherConfig) {
  PlannedRun run = Plan("").runs[0];
  run.config.mutable_logging()->clear_every_steps();  // The config was written before the field existed.
  LeaveRun(run, true);
  EXPECT_THAT(States(Plan("")), ElementsAre(RunState::kFinished));
}

TEST_F(RunStateTest, ARunOfAnotherConfigIsInTheWay) {
  LeaveRun(Plan("set: 'training.steps=7'").runs[0], true);
  EXPECT_ERROR(States(Plan("")), ErrorKind::kInvalidInput,
               AllOf(HasSubstr(Path("out/base/seed-1: belongs to a run of another config")),
                     HasSubstr("training.steps"), HasSubstr("--out")));
}

TEST_F(RunStateTest, SoIsARunWhoseDataHasChangedSince) {
  WriteTextFile(dir_ / "t.csv", "x,k\n1,a\n2,b\n");
  WriteTextFile(dir_ / "copy.csv", "x,k\n1,a\n2,b\n");
  const std::string sweep = "seed: [1, 2] set: 'data.csv={path: \"" + Path("t.csv") + "\"}'";
  const SweepPlan plan = Plan(sweep);
  DataRecord record;
  record.class_names = {"a", "b"};
  record.files = {{"csv.path", Path("copy.csv"), ChecksumOf(FileSystem::Default(), dir_ / "copy.csv")}};
  for (const PlannedRun& run : plan.runs) {
    LeaveRun(run, run.seed == 1);
    SaveDataRecord(FileSystem::Default(), {run.folder}, record);
  }
  EXPECT_THAT(States(plan), ElementsAre(RunState::kFinished, RunState::kInterrupted));
  WriteTextFile(dir_ / "t.csv", "x,k\n1,a\n2,c\n");
  EXPECT_ERROR(States(plan), ErrorKind::kInvalidInput,
               AllOf(HasSubstr("seed-1: its data has changed since it was made: csv.path"),
                     HasSubstr("seed-2: its data has changed"), HasSubstr("--out")));
  // A missing file does not count as changed. A run that needs it will say so itself.
  fs::remove(dir_ / "t.csv");
  EXPECT_THAT(States(plan), ElementsAre(RunState::kFinished, RunState::kInterrupted));
}

TEST_F(RunStateTest, SoIsAFolderOfSomethingElse) {
  const SweepPlan plan = Plan("seed: [1, 2]");
  fs::create_directories(plan.runs[0].folder);
  WriteTextFile(plan.runs[0].folder / "thesis.tex", "");
  fs::create_directories(plan.runs[1].folder.parent_path());
  WriteTextFile(plan.runs[1].folder, "a file");
  EXPECT_ERROR(
      States(plan), ErrorKind::kInvalidInput,
      AllOf(HasSubstr("seed-1: exists already and holds no config.pbtxt"), HasSubstr("seed-2: exists already")));
}

TEST_F(RunStateTest, ListsAFewOfManyFaults) {
  const std::string seeds = "seed: [1, 2, 3, 4, 5, 6, 7]";
  for (const PlannedRun& run : Plan("set: 'training.steps=7' " + seeds).runs) LeaveRun(run, true);
  try {
    States(Plan(seeds));
    FAIL();
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_THAT(message, EndsWith("\nand 2 more folders"));
    EXPECT_EQ(std::ranges::count(message, '\n'), 5);
  }
}

}  // namespace
}  // namespace twofour::train
