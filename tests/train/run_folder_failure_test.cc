// Tests what is left of the old or the new run when a call to the file system fails.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/train/run_folder.h"

#include "tests/support/expect_error.h"
#include "tests/support/faulty_file_system.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_file.h"
#include "tests/train/interrupted_file_system.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;
using test::FaultyFileSystem;
using test::ReadTextFile;
using test::TempDir;
using test::WriteTextFile;
using ::testing::HasSubstr;
using enum RunFolder::IfExists;

class RunFolderFailureTest : public ::testing::Test {
 protected:
  TempDir dir_;
  FileSystem& files_ = FileSystem::Default();
};

/// What a disk can do to replace a folder.
enum class Disk { kExchanges, kRenames, kRenamesFilesOnly, kKeepsFolders };

/// Overwrites the run "first", which has metrics, with "second" while one call fails, for each call in turn.
class RunFolderFaultTest : public RunFolderFailureTest, public ::testing::WithParamInterface<Disk> {
 protected:
  enum class Fault { kBefore, kAfter, kFromThereOn };

  /// Returns which run has the name, and checks that this run is whole.
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
      if (GetParam() == Disk::kRenames) faulty.LackExchange();
      if (GetParam() == Disk::kRenamesFilesOnly) faulty.RenameFilesOnly(".tmp-");
      if (GetParam() == Disk::kKeepsFolders) faulty.PinDirectories();
      if (fault == Fault::kBefore) faulty.FailAtCall(call);
      if (fault == Fault::kAfter) faulty.FailAfterCall(call);
      if (fault == Fault::kFromThereOn) faulty.CrashAtCall(call);
      bool failed = false;
      std::vector<std::string> notes;
      try {
        const RunFolder folder =
            RunFolder::Create(faulty, dir_ / "a", "second", kOverwrite,
                              [&](const RunFiles& paths) { WriteTextFile(paths.metrics(), "new"); });
        notes = folder.notes();
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
      // Where clean-up works, only the run is left. Otherwise a note names what could not be removed.
      const bool clean =
          files_.ListDirectory(dir_.path()) == std::vector<std::string>{"a"} &&
          files_.ListDirectory(dir_ / "a") == std::vector<std::string>{".lock", "config.pbtxt", "metrics.jsonl"};
      if (!failed) {
        EXPECT_EQ(clean, notes.empty() || fault == Fault::kAfter);
      }
      if (faulty.mutating_calls() < call) return;
    }
  }
};

TEST_P(RunFolderFaultTest, OneFailingCallLeavesTheOldRunOrTheNewOneUnderTheName) { FailAtEachCall(Fault::kBefore); }

TEST_P(RunFolderFaultTest, SoDoesACallThatReportsAFailureAfterItsWork) { FailAtEachCall(Fault::kAfter); }

INSTANTIATE_TEST_SUITE_P(Disks, RunFolderFaultTest,
                         ::testing::Values(Disk::kExchanges, Disk::kRenames, Disk::kRenamesFilesOnly,
                                           Disk::kKeepsFolders));

using RunFolderCrashTest = RunFolderFaultTest;

TEST_P(RunFolderCrashTest, NoMomentOfAKillLeavesTheNameToNobody) { FailAtEachCall(Fault::kFromThereOn); }

// Only for file systems that swap names: on others there is such a moment.
INSTANTIATE_TEST_SUITE_P(Exchange, RunFolderCrashTest, ::testing::Values(Disk::kExchanges));

TEST_F(RunFolderFailureTest, AFailingOverwriteKeepsTheOldRun) {
  RunFolder::Create(files_, dir_ / "a", "first", kFail);
  FaultyFileSystem faulty;
  faulty.FailAfterBytes(0);
  EXPECT_ERROR(RunFolder::Create(faulty, dir_ / "a", "second", kOverwrite), ErrorKind::kRuntimeFailure, HasSubstr("a"));
  EXPECT_EQ(ReadTextFile(dir_ / "a/config.pbtxt"), "first");
}

TEST_F(RunFolderFailureTest, WhatCannotBePutBackIsNamedAfterTheFirstFailure) {
  RunFolder::Create(files_, dir_ / "a", "first", kFail);
  FaultyFileSystem counting;
  counting.LackExchange();
  RunFolder::Create(counting, dir_ / "a", "second", kOverwrite);
  FaultyFileSystem faulty;
  faulty.LackExchange();
  faulty.CrashAtCall(counting.mutating_calls() - 2);  // Fails at the second rename and at all later calls.
  EXPECT_ERROR(
      RunFolder::Create(faulty, dir_ / "a", "third", kOverwrite), ErrorKind::kRuntimeFailure,
      ::testing::AllOf(::testing::StartsWith("cannot rename"), HasSubstr("what was there lies in"), HasSubstr("-old")));
}

TEST_F(RunFolderFailureTest, AnErrorWhileCleaningUpDoesNotHideTheFirst) {
  FaultyFileSystem faulty;
  faulty.CrashAtCall(4);  // Fails at the writing of the config.
  EXPECT_ERROR(RunFolder::Create(faulty, dir_ / "a", "x", kFail), ErrorKind::kRuntimeFailure,
               HasSubstr("config.pbtxt"));
}

TEST_F(RunFolderFailureTest, NoFailingCallOfAnOverwriteLosesWhatIsNotTheRunsOwn) {
  for (const bool exchanges : {true, false}) {
    for (int call = 1;; ++call) {
      SCOPED_TRACE(call);
      fs::remove_all(dir_.path());
      fs::create_directory(dir_.path());
      RunFolder::Create(files_, dir_ / "a", "first", kFail);
      WriteTextFile(dir_ / "a/notes.txt", "mine");
      FaultyFileSystem faulty;
      if (!exchanges) faulty.LackExchange();
      faulty.FailAtCall(call);
      std::string notes;
      try {
        const RunFolder folder = RunFolder::Create(faulty, dir_ / "a", "second", kOverwrite);
        for (const std::string& note : folder.notes()) notes += note + "\n";
      } catch (const Error&) {
        EXPECT_EQ(ReadTextFile(dir_ / "a/config.pbtxt"), "first");
      }
      if (!fs::exists(dir_ / "a/notes.txt")) {  // Then it is where the note says, and the next run leaves it there.
        EXPECT_THAT(notes, ::testing::StartsWith((dir_ / "a.replaced: ").string()));
        RunFolder::Create(files_, dir_ / "a", "third", kOverwrite);
        EXPECT_EQ(ReadTextFile(dir_ / "a.replaced/notes.txt"), "mine");
      } else {
        EXPECT_EQ(ReadTextFile(dir_ / "a/notes.txt"), "mine");
      }
      if (faulty.mutating_calls() < call) break;
    }
  }
}

TEST_F(RunFolderFailureTest, AFailingCallDoesNotLoseTheUsersFilesInALeftOverOfOurProcessNumber) {
  const fs::path left = TemporaryPathFor(dir_ / "a");
  for (int call = 1;; ++call) {
    SCOPED_TRACE(call);
    fs::remove_all(dir_.path());
    RunFolder::Create(files_, left, "first", kFail);
    WriteTextFile(left / "notes.txt", "mine");
    FaultyFileSystem faulty;
    faulty.FailAtCall(call);
    try {
      RunFolder::Create(faulty, dir_ / "a", "second", kFail);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kRuntimeFailure);
    }
    EXPECT_TRUE(fs::exists(left / "notes.txt") || fs::exists(dir_ / "a.replaced/notes.txt"));
    if (faulty.mutating_calls() < call) break;
  }
}

TEST_F(RunFolderFailureTest, ALeftOverMayVanishAtAnyMoment) {
  for (int look = 1;; ++look) {
    SCOPED_TRACE(look);
    fs::remove_all(dir_.path());
    fs::create_directories(dir_ / ".a.tmp-12");
    WriteTextFile(dir_ / ".a.tmp-12/.lock", "");
    test::InterruptedFileSystem files(look, [&] { fs::remove_all(dir_ / ".a.tmp-12"); });
    EXPECT_NO_THROW(RunFolder::Create(files, dir_ / "a", "x", kFail));
    EXPECT_EQ(files_.ListDirectory(dir_.path()), std::vector<std::string>{"a"});
    if (!files.was_interrupted()) break;
  }
}

TEST_F(RunFolderFailureTest, WhatAKillLeavesOfARemovalIsRemovedByTheNextRunOfAnyProcess) {
  const auto is_doomed = [](const std::string& name) { return name.starts_with(".a.tmp-0"); };
  for (const bool exchanges : {true, false}) {
    for (const bool is_dropped : {true, false}) {
      fs::remove_all(dir_.path());
      RunFolder::Create(files_, dir_ / "a", "first", kFail);
      fs::create_directories(dir_ / ".a.tmp-012/checkpoints");  // Another process had removed its lock already.
      FaultyFileSystem watched;
      if (!exchanges) watched.LackExchange();
      std::vector<std::string> removed;
      watched.Watch([&](const fs::path& path) {
        if (fs::is_directory(path) && is_doomed(path.filename())) removed.push_back(path.filename());
      });
      RunFolder folder = RunFolder::Prepare(watched, dir_ / "a", "second", kOverwrite);
      EXPECT_EQ(removed, std::vector<std::string>{".a.tmp-012"});
      if (is_dropped) {
        { const RunFolder dropped = std::move(folder); }
      } else {
        folder.TakePlace();
      }
      EXPECT_EQ(removed.size(), 2u);  // Its own one has that name, too, before anything in it is removed.
      EXPECT_EQ(files_.ListDirectory(dir_.path()), std::vector<std::string>{"a"});
    }
  }
}

TEST_F(RunFolderFailureTest, AFailingDiskLeavesNothingBehind) {
  FaultyFileSystem faulty;
  faulty.FailAfterBytes(0);
  EXPECT_ERROR(RunFolder::Create(faulty, dir_ / "a", "x", kFail), ErrorKind::kRuntimeFailure, HasSubstr("a"));
  EXPECT_TRUE(files_.ListDirectory(dir_.path()).empty());
}

}  // namespace
}  // namespace twofour::train
