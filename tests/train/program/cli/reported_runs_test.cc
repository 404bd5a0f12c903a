#include "twofour/train/program/cli/reported_runs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "twofour/train/program/sweep/sweep_lock.h"
#include "twofour/train/program/sweep/sweep_record.h"

#include "tests/support/expect_error.h"
#include "tests/support/temp_dir.h"
#include "tests/train/program/report/test_runs.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;
using test::MakeRun;
using test::RunConfig;
using test::WriteTextFile;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class ReportedRunsTest : public ::testing::Test {
 protected:
  std::vector<std::string> Find(std::vector<std::string> names) {
    options_ = {};
    for (std::string& name : names) name = (dir_ / name).string();
    return FindReportedRuns(FileSystem::Default(), names, options_);
  }
  void Make(const std::string& name) {
    fs::create_directories(dir_ / name);
    MakeRun(dir_ / name, RunConfig("a", 1), "");
  }
  /// Makes a sweep of two runs, neither of which has a folder.
  void MakeSweep(const std::string& name) {
    fs::create_directories(dir_ / name);
    SweepRecord record{"trial", "b", RunConfig("base", 1), {}};
    for (const char* variant : {"a", "b"}) {
      record.runs.push_back({.variant = variant,
                             .folder = fs::path(variant) / "seed-1",
                             .set = {std::string("name=\"") + variant + "\""},
                             .outcome = RunOutcome::kUnderWay});
    }
    WriteTextFile(dir_ / name / kSweepRecordFile, ToJson(record));
  }

  test::TempDir dir_;
  ReportOptions options_;
};

TEST_F(ReportedRunsTest, WhatAGlobNamesBesidesRunsIsSkippedWithANote) {
  Make("runs/a");
  Make("runs/b");
  fs::create_directories(dir_ / "runs/empty");
  fs::create_directories(dir_ / "runs/other/notes");
  WriteTextFile(dir_ / "runs/notes.txt", "");
  WriteTextFile(dir_ / "runs/other/x", "");
  fs::create_directory_symlink("a", dir_ / "runs/latest");
  const auto notes = Find({"runs/a", "runs/b", "runs/empty", "runs/latest", "runs/notes.txt", "runs/other"});
  EXPECT_THAT(options_.runs, ElementsAre(dir_ / "runs/a", dir_ / "runs/b"));
  EXPECT_THAT(notes,
              ElementsAre(HasSubstr("runs/empty: skipped: an empty folder"),
                          HasSubstr("runs/latest: skipped: the same run as " + (dir_ / "runs/a").string()),
                          HasSubstr("runs/notes.txt: skipped: a file"), HasSubstr("runs/other: skipped: no run's")));
}

TEST_F(ReportedRunsTest, WhatDoesNotExistIsAnError) {
  Make("runs/a");
  EXPECT_ERROR(Find({"runs/a", "runs/none"}), ErrorKind::kInvalidInput, HasSubstr("runs/none: not a run's folder"));
}

TEST_F(ReportedRunsTest, ASweepIsAllItsRuns) {
  MakeSweep("trial");
  Make("trial/a/seed-1");
  EXPECT_THAT(Find({"trial/"}), IsEmpty());
  EXPECT_THAT(options_.runs, ElementsAre(dir_ / "trial/a/seed-1", dir_ / "trial/b/seed-1"));
  EXPECT_EQ(options_.planned.at(dir_ / "trial/b/seed-1").outcome, RunOutcome::kInterrupted);
  EXPECT_EQ(options_.title, "trial");
  EXPECT_EQ(options_.baseline, "a");  // 'b' has no finished run.
  const SweepLock lock(FileSystem::Default(), dir_ / "trial");
  Find({"trial"});
  EXPECT_EQ(options_.planned.at(dir_ / "trial/b/seed-1").outcome, RunOutcome::kUnderWay);
}

TEST_F(ReportedRunsTest, OfSeveralArgumentsNoneNamesTheReport) {
  MakeSweep("trial");
  Make("a");
  EXPECT_THAT(Find({"a", "trial"}), IsEmpty());
  EXPECT_THAT(options_.runs, SizeIs(3));
  EXPECT_EQ(options_.title, "");
  EXPECT_EQ(options_.baseline, "");
}

TEST_F(ReportedRunsTest, ARunOfASweepThatIsNamedAsWellCountsOnce) {
  MakeSweep("trial");
  Make("trial/a/seed-1");
  EXPECT_THAT(Find({"trial", "trial/a/seed-1"}), ElementsAre(HasSubstr("skipped: the same run")));
  EXPECT_THAT(options_.runs, SizeIs(2));
}

TEST_F(ReportedRunsTest, AFolderOfRunsIsThoseInIt) {
  Make("runs/a");
  MakeSweep("runs/trial");
  Make("runs/old/b/seed-1");  // From a sweep before there were records.
  Make("runs/.a.tmp-1-old");
  Make("runs/a/within");
  EXPECT_THAT(Find({"runs"}), IsEmpty());
  EXPECT_THAT(options_.runs, ElementsAre(dir_ / "runs/a", dir_ / "runs/old/b/seed-1", dir_ / "runs/trial/a/seed-1",
                                         dir_ / "runs/trial/b/seed-1"));
}

TEST_F(ReportedRunsTest, OfADamagedRecordTheFoldersAreLeft) {
  MakeSweep("trial");
  Make("trial/a/seed-1");
  WriteTextFile(dir_ / "trial" / kSweepRecordFile, "{");
  EXPECT_THAT(Find({"trial"}), ElementsAre(HasSubstr("sweep.json: expected an object; the runs that left a folder")));
  EXPECT_THAT(options_.runs, ElementsAre(dir_ / "trial/a/seed-1"));
}

}  // namespace
}  // namespace twofour::train
