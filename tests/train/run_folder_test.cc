#include "twofour/train/run_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "twofour/core/error.h"

#include "tests/support/expect_error.h"
#include "tests/support/faulty_file_system.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_file.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;
using test::FaultyFileSystem;
using test::ReadTextFile;
using test::TempDir;
using test::WriteTextFile;
using ::testing::HasSubstr;
using enum RunFolder::IfExists;

class RunFolderTest : public ::testing::Test {
 protected:
  TempDir dir_;
  FileSystem& files_ = FileSystem::Default();
};

TEST_F(RunFolderTest, IsCreatedWithItsConfig) {
  const RunFolder folder = RunFolder::Create(files_, dir_ / "runs/a", "seed: 1\n", kFail);
  EXPECT_EQ(ReadTextFile(folder.paths().config()), "seed: 1\n");
  EXPECT_EQ(files_.ListDirectory(dir_ / "runs"), std::vector<std::string>{"a"});  // Nothing temporary stays.
}

TEST_F(RunFolderTest, NeverTakesAFolderThatHoldsSomething) {
  RunFolder::Create(files_, dir_ / "a", "first", kFail);
  EXPECT_ERROR(RunFolder::Create(files_, dir_ / "a", "second", kFail), ErrorKind::kInvalidInput,
               HasSubstr("exists already"));
  EXPECT_EQ(ReadTextFile(dir_ / "a/config.pbtxt"), "first");
}

TEST_F(RunFolderTest, TakesAnEmptyFolder) {
  fs::create_directory(dir_ / "a");
  EXPECT_EQ(ReadTextFile(RunFolder::Create(files_, dir_ / "a", "x", kFail).paths().config()), "x");
}

TEST_F(RunFolderTest, OverwriteRemovesARunAndNothingElse) {
  RunFolder::Create(files_, dir_ / "a", "first", kFail);
  WriteTextFile(dir_ / "a/metrics.jsonl", "old");
  RunFolder::Create(files_, dir_ / "a", "second", kOverwrite);
  EXPECT_EQ(ReadTextFile(dir_ / "a/config.pbtxt"), "second");
  EXPECT_FALSE(fs::exists(dir_ / "a/metrics.jsonl"));

  fs::create_directory(dir_ / "thesis");
  WriteTextFile(dir_ / "thesis/config.pbtxt", "of something else");
  WriteTextFile(dir_ / "thesis/draft.txt", "precious");
  EXPECT_ERROR(RunFolder::Create(files_, dir_ / "thesis", "x", kOverwrite), ErrorKind::kInvalidInput,
               HasSubstr("not a run's folder"));
  EXPECT_EQ(ReadTextFile(dir_ / "thesis/draft.txt"), "precious");
}

TEST_F(RunFolderTest, AFileInTheWayIsAnError) {
  WriteTextFile(dir_ / "a", "file");
  EXPECT_ERROR(RunFolder::Create(files_, dir_ / "a", "x", kFail), ErrorKind::kInvalidInput,
               HasSubstr("exists already"));
  EXPECT_ERROR(RunFolder::Create(files_, dir_ / "a/b", "x", kFail), ErrorKind::kRuntimeFailure, HasSubstr("/a: "));
}

TEST_F(RunFolderTest, IsHeldByOneProcessAtATime) {
  {
    const RunFolder held = RunFolder::Create(files_, dir_ / "a", "x", kFail);
    EXPECT_ERROR(RunFolder::Open(files_, dir_ / "a"), ErrorKind::kInvalidInput, HasSubstr("another trainer"));
    EXPECT_ERROR(RunFolder::Create(files_, dir_ / "a", "y", kOverwrite), ErrorKind::kInvalidInput,
                 HasSubstr("another trainer"));
  }
  EXPECT_NO_THROW(RunFolder::Open(files_, dir_ / "a"));
}

TEST_F(RunFolderTest, OpenNeedsARunsFolder) {
  EXPECT_ERROR(RunFolder::Open(files_, dir_ / "none"), ErrorKind::kInvalidInput, HasSubstr("config.pbtxt"));
}

TEST_F(RunFolderTest, OpenRemovesWhatKilledProcessesLeft) {
  RunFolder::Create(files_, dir_ / "a", "x", kFail);
  WriteTextFile(dir_ / "a" / TemporaryPathFor("metrics.jsonl"), "half");
  WriteTextFile(dir_ / "a/.tmp-of-the-user", "kept");
  RunFolder::Open(files_, dir_ / "a");
  EXPECT_THAT(files_.ListDirectory(dir_ / "a"), ::testing::ElementsAre(".lock", ".tmp-of-the-user", "config.pbtxt"));
}

TEST_F(RunFolderTest, AFailingOverwriteKeepsTheOldRun) {
  RunFolder::Create(files_, dir_ / "a", "first", kFail);
  FaultyFileSystem faulty;
  faulty.FailAfterBytes(0);
  EXPECT_ERROR(RunFolder::Create(faulty, dir_ / "a", "second", kOverwrite), ErrorKind::kRuntimeFailure, HasSubstr("a"));
  EXPECT_EQ(ReadTextFile(dir_ / "a/config.pbtxt"), "first");
}

/// Overwrites the run "first", whose metrics count, with "second" while one call fails, until none is left to fail.
class RunFolderFaultTest : public RunFolderTest, public ::testing::WithParamInterface<bool> {
 protected:
  enum class Fault { kBefore, kAfter, kFromThereOn };

  /// Which run has the name, after checking that it is whole.
  std::string WhoseIsTheName() {
    const std::string config = ReadTextFile(dir_ / "a/config.pbtxt");
    EXPECT_EQ(ReadTextFile(dir_ / "a/metrics.jsonl"), config == "first" ? "old" : "new");
    return config;
  }

  void FailAtEachCall(Fault fault) {
    for (int call = 1;; ++call) {
      SCOPED_TRACE(call);
      fs::remove_all(dir_.path());
      fs::create_directory(dir_.path());
      RunFolder::Create(files_, dir_ / "a", "first", kFail);
      WriteTextFile(dir_ / "a/metrics.jsonl", "old");
      FaultyFileSystem faulty;
      if (!GetParam()) faulty.LackExchange();
      if (fault == Fault::kBefore) faulty.FailAtCall(call);
      if (fault == Fault::kAfter) faulty.FailAfterCall(call);
      if (fault == Fault::kFromThereOn) faulty.CrashAtCall(call);
      bool failed = false;
      std::string left_over;
      try {
        const RunFolder folder =
            RunFolder::Create(faulty, dir_ / "a", "second", kOverwrite,
                              [&](const RunFiles& paths) { WriteTextFile(paths.metrics(), "new"); });
        left_over = folder.left_over();
      } catch (const Error& error) {
        failed = true;
        EXPECT_EQ(error.kind(), ErrorKind::kRuntimeFailure);
        EXPECT_THAT(error.what(), HasSubstr("cannot "));
      }
      const std::string name = WhoseIsTheName();
      if (!failed) {
        EXPECT_EQ(name, "second");
      } else if (fault != Fault::kAfter) {
        EXPECT_EQ(name, "first");
      }
      // Nothing but the run is left where clean-up works, and what could not be removed is told of.
      const bool clean = files_.ListDirectory(dir_.path()) == std::vector<std::string>{"a"};
      if (!failed) {
        EXPECT_EQ(clean, left_over.empty() || fault == Fault::kAfter);
      }
      if (faulty.mutating_calls() < call) return;
    }
  }
};

TEST_P(RunFolderFaultTest, OneFailingCallLeavesTheOldRunOrTheNewOneUnderTheName) { FailAtEachCall(Fault::kBefore); }

TEST_P(RunFolderFaultTest, SoDoesACallThatReportsAFailureAfterItsWork) { FailAtEachCall(Fault::kAfter); }

INSTANTIATE_TEST_SUITE_P(Exchange, RunFolderFaultTest, ::testing::Bool());

using RunFolderCrashTest = RunFolderFaultTest;

TEST_P(RunFolderCrashTest, NoMomentOfAKillLeavesTheNameToNobody) { FailAtEachCall(Fault::kFromThereOn); }

// Without a file system that swaps names there is such a moment.
INSTANTIATE_TEST_SUITE_P(Exchange, RunFolderCrashTest, ::testing::Values(true));

TEST_F(RunFolderTest, WhatCannotBePutBackIsNamedAfterTheFirstFailure) {
  RunFolder::Create(files_, dir_ / "a", "first", kFail);
  FaultyFileSystem counting;
  counting.LackExchange();
  RunFolder::Create(counting, dir_ / "a", "second", kOverwrite);
  FaultyFileSystem faulty;
  faulty.LackExchange();
  faulty.CrashAtCall(counting.mutating_calls() - 1);  // The second rename, and all that follows.
  EXPECT_ERROR(
      RunFolder::Create(faulty, dir_ / "a", "third", kOverwrite), ErrorKind::kRuntimeFailure,
      ::testing::AllOf(::testing::StartsWith("cannot rename"), HasSubstr("what was there lies in"), HasSubstr("-old")));
}

TEST_F(RunFolderTest, AnErrorWhileCleaningUpDoesNotHideTheFirst) {
  FaultyFileSystem faulty;
  faulty.CrashAtCall(4);  // Writing the config.
  EXPECT_ERROR(RunFolder::Create(faulty, dir_ / "a", "x", kFail), ErrorKind::kRuntimeFailure,
               HasSubstr("config.pbtxt"));
}

TEST_F(RunFolderTest, WhatKilledProcessesLeftIsRemovedAndNothingElse) {
  for (const char* name : {".a.tmp-12", ".a.tmp-13-old", ".b.tmp-14", ".a.tmp-15x"}) {
    fs::create_directory(dir_ / name);
    WriteTextFile(dir_ / name / ".lock", "");
  }
  fs::create_directory(dir_ / ".a.tmp-16");  // Of a process that is about to take its lock.
  fs::create_directory(dir_ / ".a.tmp-17");
  WriteTextFile(dir_ / ".a.tmp-17/config.pbtxt", "");
  const RunFolder at_work = RunFolder::Open(files_, dir_ / ".a.tmp-17");
  RunFolder::Create(files_, dir_ / "a", "x", kFail);
  EXPECT_THAT(files_.ListDirectory(dir_.path()),
              ::testing::ElementsAre(".a.tmp-13-old", ".a.tmp-15x", ".a.tmp-16", ".a.tmp-17", ".b.tmp-14", "a"));
}

TEST_F(RunFolderTest, WhatIsFilledInIsThereFromTheFirstMoment) {
  const RunFolder folder = RunFolder::Create(files_, dir_ / "a", "x", kFail, [&](const RunFiles& paths) {
    EXPECT_FALSE(fs::exists(dir_ / "a"));
    WriteTextFile(paths.data(), "{}");
  });
  EXPECT_EQ(ReadTextFile(dir_ / "a/data.json"), "{}");
  EXPECT_ERROR(RunFolder::Create(files_, dir_ / "b", "x", kFail, [](const RunFiles&) { throw Error("no"); }),
               ErrorKind::kInvalidInput, HasSubstr("no"));
  EXPECT_EQ(files_.ListDirectory(dir_.path()), std::vector<std::string>{"a"});
}

TEST_F(RunFolderTest, AFailingDiskLeavesNothingBehind) {
  FaultyFileSystem faulty;
  faulty.FailAfterBytes(0);
  EXPECT_ERROR(RunFolder::Create(faulty, dir_ / "a", "x", kFail), ErrorKind::kRuntimeFailure, HasSubstr("a"));
  EXPECT_TRUE(files_.ListDirectory(dir_.path()).empty());
}

}  // namespace
}  // namespace twofour::train
