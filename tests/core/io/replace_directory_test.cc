#include "twofour/core/io/replace_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "twofour/core/error.h"

#include "tests/support/faulty_file_system.h"
#include "tests/support/folder_snapshot.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_file.h"

namespace twofour {
namespace {

namespace fs = std::filesystem;
using test::FaultyFileSystem;
using test::ReadTextFile;
using test::SnapshotOf;
using test::TempDir;
using test::WriteTextFile;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Snapshot = std::map<std::string, std::string>;

class ReplaceDirectoryTest : public ::testing::Test {
 protected:
  /// A directory with files, a directory in a directory and links.
  void Fill(const fs::path& path, const std::string& text) {
    fs::create_directories(path / "sub/deep");
    fs::create_directory(path / "empty");
    WriteTextFile(path / "mark", text);
    WriteTextFile(path / "a", text + "a");
    WriteTextFile(path / "sub/deep/file", text + "file");
    fs::create_directory_symlink("sub", path / "link");
    fs::create_symlink("nowhere", path / "dangling");
  }

  Snapshot FilledWith(const std::string& text) {
    const TempDir dir;
    Fill(dir.path(), text);
    return SnapshotOf(dir.path());
  }

  void StartAnew() {
    fs::remove_all(dir_.path());
    fs::create_directory(dir_.path());
  }

  TempDir dir_;
};

TEST_F(ReplaceDirectoryTest, GivesTheNameAndSaysWhereTheOldOneIs) {
  const Snapshot old_one = FilledWith("old"), new_one = FilledWith("new");
  for (const char* lacks : {"nothing", "exchange", "renames"}) {
    SCOPED_TRACE(lacks);
    StartAnew();
    FaultyFileSystem files;
    if (lacks == std::string("exchange")) files.LackExchange();
    if (lacks == std::string("renames")) files.RenameFilesOnly("new");
    Fill(dir_ / "new", "new");
    Fill(dir_ / "old", "old");
    const fs::path aside = ReplaceDirectory(files, dir_ / "new", dir_ / "old");
    EXPECT_EQ(SnapshotOf(dir_ / "old"), new_one);
    EXPECT_EQ(SnapshotOf(aside), old_one);
    files.RemoveAll(aside);
    EXPECT_THAT(files.ListDirectory(dir_.path()), ElementsAre("old"));
  }
}

TEST_F(ReplaceDirectoryTest, PutsTheOldOneBackWhereTheNewOneCannotTakeItsPlace) {
  FaultyFileSystem files;
  files.LackExchange();
  Fill(dir_ / "old", "old");
  try {
    ReplaceDirectory(files, dir_ / "none", dir_ / "old");
    FAIL() << "there is nothing to take its place";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("none"));
  }
  EXPECT_EQ(SnapshotOf(dir_ / "old"), FilledWith("old"));
  EXPECT_THAT(files.ListDirectory(dir_.path()), ElementsAre("old"));
}

TEST_F(ReplaceDirectoryTest, TryingChangesNothingWhereDirectoriesAreNotRenamed) {
  FaultyFileSystem files;
  files.RenameFilesOnly("new");
  Fill(dir_ / "new", "new");
  Fill(dir_ / "old", "old");
  const Snapshot before = SnapshotOf(dir_.path());
  EXPECT_EQ(TryReplaceDirectory(files, dir_ / "new", dir_ / "old"), std::nullopt);
  EXPECT_EQ(SnapshotOf(dir_.path()), before);
}

TEST_F(ReplaceDirectoryTest, AFailureAtAnyCallPutsAllBackWhereOnlyFilesAreRenamed) {
  const Snapshot old_one = FilledWith("old"), new_one = FilledWith("new");
  for (const bool after : {false, true}) {
    for (int call = 1;; ++call) {
      SCOPED_TRACE(call);
      StartAnew();
      FaultyFileSystem files;
      files.RenameFilesOnly("new");
      Fill(dir_ / "new", "new");
      Fill(dir_ / "old", "old");
      after ? files.FailAfterCall(call) : files.FailAtCall(call);
      bool failed = false;
      try {
        ReplaceDirectory(files, dir_ / "new", dir_ / "old");
      } catch (const Error& error) {
        failed = true;
        EXPECT_THAT(error.what(), HasSubstr("cannot "));
      }
      const Snapshot found = SnapshotOf(dir_ / "old");
      EXPECT_TRUE(found == old_one || (found == new_one && (after || !failed)));
      if (found == old_one) {
        EXPECT_FALSE(fs::exists(dir_ / "new-old"));
      }
      if (files.mutating_calls() < call) break;
      EXPECT_TRUE(failed);
    }
  }
}

TEST_F(ReplaceDirectoryTest, ContentsAreReplacedWithinTheDirectory) {
  const Snapshot old_one = FilledWith("old"), new_one = FilledWith("new");
  for (const bool renames : {true, false}) {
    StartAnew();
    FaultyFileSystem files;
    if (!renames) files.RenameFilesOnly(".new.tmp-");
    Fill(dir_.path(), "old");
    Fill(dir_ / ".new.tmp-1", "new");
    WriteTextFile(dir_ / ".new.tmp-2", "another's");
    const fs::path aside = ReplaceContents(files, dir_ / ".new.tmp-1", dir_.path(), "mark");
    EXPECT_EQ(SnapshotOf(aside), old_one);
    fs::remove_all(aside);
    EXPECT_TRUE(fs::remove(dir_ / ".new.tmp-1"));  // It is empty.
    EXPECT_EQ(ReadTextFile(dir_ / ".new.tmp-2"), "another's");
    fs::remove(dir_ / ".new.tmp-2");
    EXPECT_EQ(SnapshotOf(dir_.path()), new_one);
  }
}

TEST_F(ReplaceDirectoryTest, WhatIsToStayIsLetAlone) {
  const Snapshot old_one = FilledWith("old");
  StartAnew();
  Fill(dir_.path(), "old");
  Fill(dir_ / ".new.tmp-1", "new");
  WriteTextFile(dir_ / "notes", "mine");
  const fs::path aside = ReplaceContents(FileSystem::Default(), dir_ / ".new.tmp-1", dir_.path(), "mark",
                                         [](const std::string& name) { return name == "notes"; });
  EXPECT_EQ(SnapshotOf(aside), old_one);
  EXPECT_EQ(ReadTextFile(dir_ / "notes"), "mine");
}

TEST_F(ReplaceDirectoryTest, OfAnEmptyDirectoryNothingIsPutAside) {
  Fill(dir_ / ".new.tmp-1", "new");
  EXPECT_EQ(ReplaceContents(FileSystem::Default(), dir_ / ".new.tmp-1", dir_.path(), "mark"), "");
  EXPECT_TRUE(fs::remove(dir_ / ".new.tmp-1"));
  EXPECT_EQ(SnapshotOf(dir_.path()), FilledWith("new"));
}

TEST_F(ReplaceDirectoryTest, AFailureAtAnyCallLeavesTheOldContentsOrTheNewOnes) {
  const Snapshot old_one = FilledWith("old"), new_one = FilledWith("new");
  for (const bool after : {false, true}) {
    for (int call = 1;; ++call) {
      SCOPED_TRACE(call);
      StartAnew();
      FaultyFileSystem files;
      Fill(dir_.path(), "old");
      Fill(dir_ / ".new.tmp-1", "new");
      after ? files.FailAfterCall(call) : files.FailAtCall(call);
      bool failed = false;
      try {
        ReplaceContents(files, dir_ / ".new.tmp-1", dir_.path(), "mark");
      } catch (const Error&) {
        failed = true;
      }
      fs::remove_all(dir_ / ".new.tmp-1");  // Its maker would do this.
      if (!failed) fs::remove_all(dir_ / ".new.tmp-1-old");
      EXPECT_EQ(SnapshotOf(dir_.path()), failed ? old_one : new_one);
      if (files.mutating_calls() < call) break;
    }
  }
}

TEST_F(ReplaceDirectoryTest, AKillAtAnyCallLeavesNoMarkOnAMixture) {
  const Snapshot old_one = FilledWith("old"), new_one = FilledWith("new");
  int without_mark = 0;
  for (int call = 1;; ++call) {
    SCOPED_TRACE(call);
    StartAnew();
    FaultyFileSystem files;
    Fill(dir_.path(), "old");
    Fill(dir_ / ".new.tmp-1", "new");
    files.CrashAtCall(call);
    try {
      ReplaceContents(files, dir_ / ".new.tmp-1", dir_.path(), "mark");
    } catch (const Error&) {
    }
    if (fs::exists(dir_ / "mark")) {
      fs::remove_all(dir_ / ".new.tmp-1");
      fs::remove_all(dir_ / ".new.tmp-1-old");
      const Snapshot found = SnapshotOf(dir_.path());
      EXPECT_TRUE(found == old_one || found == new_one);
    } else {
      ++without_mark;
    }
    if (files.mutating_calls() < call) break;
  }
  EXPECT_GT(without_mark, 5);
}

}  // namespace
}  // namespace twofour
