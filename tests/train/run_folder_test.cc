#include "twofour/train/run_folder.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "twofour/core/error.h"

#include "tests/support/expect_error.h"
#include "tests/support/faulty_file_system.h"
#include "tests/support/folder_snapshot.h"
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

class ScopedWorkingFolder {
 public:
  ~ScopedWorkingFolder() { fs::current_path(before_); }

 private:
  fs::path before_ = fs::current_path();
};

class RunFolderTest : public ::testing::Test {
 protected:
  TempDir dir_;
  FileSystem& files_ = FileSystem::Default();
};

TEST_F(RunFolderTest, IsCreatedWithItsConfig) {
  const RunFolder folder = RunFolder::Create(files_, dir_ / "runs/a", "seed: 1\n", kFail);
  EXPECT_EQ(ReadTextFile(folder.paths().config()), "seed: 1\n");
  EXPECT_EQ(files_.ListDirectory(dir_ / "runs"), std::vector<std::string>{"a"});  // No temporary folder is left.
}

TEST_F(RunFolderTest, NeverTakesAFolderThatHoldsSomething) {
  RunFolder::Create(files_, dir_ / "a", "first", kFail);
  EXPECT_ERROR(RunFolder::Create(files_, dir_ / "a", "second", kFail), ErrorKind::kInvalidInput,
               HasSubstr("exists already"));
  EXPECT_EQ(ReadTextFile(dir_ / "a/config.pbtxt"), "first");
}

TEST_F(RunFolderTest, NeverLiesInAnotherRun) {
  const ScopedWorkingFolder back;
  RunFolder::Create(files_, dir_ / "runs/a", "first", kFail);
  fs::create_directory_symlink(dir_ / "runs/a", dir_ / "link");
  // Checkpoints on another disk.
  fs::create_directories(dir_ / "disk/of_b/empty");
  RunFolder::Create(files_, dir_ / "runs/b", "first", kFail);
  fs::create_directory_symlink(dir_ / "disk/of_b", dir_ / "runs/b/checkpoints");
  fs::create_directories(dir_ / "runs/a/checkpoints/step-1");
  fs::current_path(dir_ / "runs/a/checkpoints");
  const auto before = test::SnapshotOf(dir_.path());
  for (const fs::path& path :
       {dir_ / "runs/a/x", dir_ / "runs/a/checkpoints/step-5", dir_ / "runs/a/new/deep/x", dir_ / "link/x",
        dir_ / "none/../runs/a/checkpoints/x", dir_ / "runs/b/checkpoints/x", dir_ / "runs/b/checkpoints/empty",
        fs::path("x"), fs::path("step-1"), fs::path("../x")}) {
    SCOPED_TRACE(path);
    for (const RunFolder::IfExists if_exists : {kFail, kOverwrite}) {
      EXPECT_ERROR(RunFolder::Create(files_, path, "x", if_exists), ErrorKind::kInvalidInput,
                   ::testing::MatchesRegex(".*: lies in /.*/runs/[ab], the folder of a run, expected .*"));
    }
  }
  EXPECT_EQ(test::SnapshotOf(dir_.path()), before);
  // Not in the run: beside it, and behind a link in it that leads out again.
  RunFolder::Create(files_, "../../c", "x", kFail);
  RunFolder::Create(files_, dir_ / "runs/b/checkpoints/../d", "x", kFail);
  EXPECT_TRUE(fs::exists(dir_ / "disk/d/config.pbtxt"));
}

TEST_F(RunFolderTest, AConfigAloneMakesNoRunOfAFolder) {
  fs::create_directory(dir_ / "project");
  WriteTextFile(dir_ / "project/config.pbtxt", "seed: 1");
  RunFolder::Create(files_, dir_ / "project/runs/a", "x", kFail);
  RunFolder::Create(files_, dir_ / "project/runs/a", "y", kOverwrite);
  EXPECT_EQ(ReadTextFile(dir_ / "project/runs/a/config.pbtxt"), "y");
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

TEST_F(RunFolderTest, OverwriteKeepsWhatIsNotTheRunsOwnAndSaysSo) {
  const std::vector<std::string> own{"metrics.jsonl",         "data.json",
                                     "vocabulary.json",       "events.out.tfevents.1",
                                     "model.safetensors",     "model-step-3.safetensors",
                                     "checkpoints/step-1/a",  "model-step-3-2.safetensors",
                                     ".metrics.jsonl.tmp-123"};
  const std::vector<std::string> users{"notes.txt", "plots/1/a.png", "model-step-x.safetensors", ".git/HEAD"};
  enum class Way { kExchange, kRename, kFilesOnly, kStays };
  for (const Way way : {Way::kExchange, Way::kRename, Way::kFilesOnly, Way::kStays}) {
    SCOPED_TRACE(static_cast<int>(way));
    fs::remove_all(dir_ / "a");
    RunFolder::Create(files_, dir_ / "a", "first", kFail);
    for (const auto& names : {own, users}) {
      for (const std::string& name : names) {
        fs::create_directories((dir_ / "a" / name).parent_path());
        WriteTextFile(dir_ / "a" / name, name);
      }
    }
    FaultyFileSystem disk;
    if (way == Way::kRename) disk.LackExchange();
    if (way == Way::kFilesOnly) disk.RenameFilesOnly(".tmp-");
    if (way == Way::kStays) disk.PinDirectories();
    const RunFolder folder = RunFolder::Create(disk, dir_ / "a", "second", kOverwrite);
    EXPECT_THAT(folder.notes(),
                ::testing::ElementsAre((dir_ / "a").string() + ": kept what is not of the run that was replaced: .git, "
                                                               "model-step-x.safetensors, notes.txt, plots"));
    for (const std::string& name : users) EXPECT_EQ(ReadTextFile(dir_ / "a" / name), name);
    EXPECT_THAT(
        files_.ListDirectory(dir_ / "a"),
        ::testing::ElementsAre(".git", ".lock", "config.pbtxt", "model-step-x.safetensors", "notes.txt", "plots"));
    EXPECT_EQ(files_.ListDirectory(dir_.path()), std::vector<std::string>{"a"});
  }
}

TEST_F(RunFolderTest, AKillBeforeTheUsersFilesWereCarriedOverLosesNone) {
  const fs::path ours = TemporaryPathFor(dir_ / "a");  // One folder has our process number, the other has another.
  for (const fs::path& left : {ours, dir_ / ".a.tmp-17"}) {
    RunFolder::Create(files_, left, "first", kFail);
    WriteTextFile(left / "notes.txt", left.string());
  }
  RunFolder::Create(files_, dir_ / "a", "second", kFail);
  EXPECT_EQ(ReadTextFile(dir_ / "a.replaced/notes.txt"), ours.string());
  EXPECT_EQ(ReadTextFile(dir_ / ".a.tmp-17/notes.txt"), (dir_ / ".a.tmp-17").string());
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

TEST_F(RunFolderTest, WhatKilledProcessesLeftInItIsRemovedOnRequestOnly) {
  RunFolder::Create(files_, dir_ / "a", "x", kFail);
  WriteTextFile(dir_ / "a" / TemporaryPathFor("metrics.jsonl"), "half");
  WriteTextFile(dir_ / "a/.tmp-of-the-user", "kept");
  const auto before = test::SnapshotOf(dir_ / "a");
  RunFolder folder = RunFolder::Open(files_, dir_ / "a");
  EXPECT_EQ(test::SnapshotOf(dir_ / "a"), before);
  folder.RemoveUnfinished();
  EXPECT_THAT(files_.ListDirectory(dir_ / "a"), ::testing::ElementsAre(".lock", ".tmp-of-the-user", "config.pbtxt"));
}

TEST_F(RunFolderTest, WhatKilledProcessesLeftIsRemovedAndNothingElse) {
  for (const char* name : {".a.tmp-12", ".a.tmp-13-old", ".b.tmp-14", ".a.tmp-15x"}) {
    fs::create_directory(dir_ / name);
    WriteTextFile(dir_ / name / ".lock", "");
  }
  fs::create_directory(dir_ / ".a.tmp-16");  // Belongs to a process that is about to take its lock.
  fs::create_directory(dir_ / ".a.tmp-17");
  WriteTextFile(dir_ / ".a.tmp-17/config.pbtxt", "");
  const RunFolder at_work = RunFolder::Open(files_, dir_ / ".a.tmp-17");
  RunFolder::Create(files_, dir_ / "a", "x", kFail);
  EXPECT_THAT(files_.ListDirectory(dir_.path()),
              ::testing::ElementsAre(".a.tmp-13-old", ".a.tmp-15x", ".a.tmp-16", ".a.tmp-17", ".b.tmp-14", "a"));
}

TEST_F(RunFolderTest, NobodyCanTakeWhatIsBeingRemoved) {
  const fs::path left = dir_ / ".a.tmp-12";
  fs::create_directories(left);
  WriteTextFile(left / ".lock", "");
  FaultyFileSystem watched;
  int renames = 0;
  watched.Watch([&](const fs::path& path) {
    if (path != left) return;
    ++renames;
    EXPECT_EQ(files_.TryLock(left / ".lock", LockKind::kExclusive).result, LockResult::kHeldElsewhere);
  });
  RunFolder::Create(watched, dir_ / "a", "x", kFail);
  EXPECT_EQ(renames, 1);
  EXPECT_EQ(files_.ListDirectory(dir_.path()), std::vector<std::string>{"a"});
}

TEST_F(RunFolderTest, NoLockIsHeldInAFolderThatIsRemoved) {
  using Prepare = void (FaultyFileSystem::*)();
  const Prepare as_it_is = nullptr;
  for (const Prepare prepare : {as_it_is, &FaultyFileSystem::LackExchange, &FaultyFileSystem::PinDirectories}) {
    for (const bool movable : {true, false}) {
      const TempDir dir;
      FaultyFileSystem nfs;
      nfs.KeepOpenFiles();
      if (prepare != nullptr) (nfs.*prepare)();
      if (!movable) nfs.RenameFilesOnly("no such name");
      for (const char* left : {".a.tmp-12", ".a.tmp-13"}) {
        fs::create_directories(dir / left);
        WriteTextFile(dir / left / ".lock", "");
      }
      // A process with our number was killed while it removed such a folder, which has lost its lock already.
      const std::string number = std::to_string(getpid());
      fs::create_directories(dir / (".a.tmp-0" + number) / "checkpoints");
      for (const char* text : {"first", "second", "third"}) {
        const RunFolder folder = RunFolder::Create(nfs, dir / "a", text, kOverwrite);
        EXPECT_THAT(folder.notes(), ::testing::IsEmpty());
        EXPECT_EQ(files_.ListDirectory(dir.path()), std::vector<std::string>{"a"});
        EXPECT_THAT(files_.ListDirectory(dir / "a"), ::testing::ElementsAre(".lock", "config.pbtxt"));
        EXPECT_ERROR(RunFolder::Open(files_, dir / "a"), ErrorKind::kInvalidInput, HasSubstr("another trainer"));
      }
      { const RunFolder waiting = RunFolder::Prepare(nfs, dir / "a", "fourth", kOverwrite); }
      EXPECT_EQ(files_.ListDirectory(dir.path()), std::vector<std::string>{"a"});
      EXPECT_THAT(files_.ListDirectory(dir / "a"), ::testing::ElementsAre(".lock", "config.pbtxt"));
    }
  }
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

TEST_F(RunFolderTest, TheOldRunStaysUntilTheNewOneTakesItsPlace) {
  RunFolder::Create(files_, dir_ / "a", "first", kFail);
  WriteTextFile(dir_ / "a/metrics.jsonl", "old");
  const auto before = test::SnapshotOf(dir_.path());
  {
    const RunFolder waiting = RunFolder::Prepare(files_, dir_ / "a", "second", kOverwrite);
    EXPECT_TRUE(waiting.is_waiting());
    EXPECT_EQ(ReadTextFile(dir_ / "a/metrics.jsonl"), "old");
    EXPECT_ERROR(RunFolder::Open(files_, dir_ / "a"), ErrorKind::kInvalidInput, HasSubstr("another trainer"));
  }
  EXPECT_EQ(test::SnapshotOf(dir_.path()), before);
  RunFolder placed = RunFolder::Prepare(files_, dir_ / "a", "third", kOverwrite);
  placed.TakePlace();
  EXPECT_FALSE(placed.is_waiting());
  EXPECT_EQ(placed.paths().folder, dir_ / "a");
  EXPECT_EQ(ReadTextFile(dir_ / "a/config.pbtxt"), "third");
  EXPECT_EQ(files_.ListDirectory(dir_.path()), std::vector<std::string>{"a"});
}

TEST_F(RunFolderTest, AFolderThatHasToStayIsFilledWhereItIs) {
  FaultyFileSystem mounted;
  mounted.PinDirectories();
  fs::create_directory(dir_ / "a");
  const int handle = open((dir_ / "a").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const auto number_of = [](const fs::path& path) {
    struct stat status {};
    EXPECT_EQ(stat(path.c_str(), &status), 0);
    return status.st_ino;
  };
  const auto is_the_same = [&] {
    struct stat opened {};
    return fstat(handle, &opened) == 0 && opened.st_ino == number_of(dir_ / "a");
  };
  RunFolder::Create(mounted, dir_ / "a", "first", kFail);
  EXPECT_TRUE(is_the_same());
  EXPECT_THAT(files_.ListDirectory(dir_ / "a"), ::testing::ElementsAre(".lock", "config.pbtxt"));
  WriteTextFile(dir_ / "a/metrics.jsonl", "old");
  // The lock is never missing, or somebody could make another one and take it.
  const ino_t lock = number_of(dir_ / "a/.lock");
  {
    const RunFolder held = RunFolder::Create(mounted, dir_ / "a", "second", kOverwrite);
    EXPECT_ERROR(RunFolder::Open(files_, dir_ / "a"), ErrorKind::kInvalidInput, HasSubstr("another trainer"));
  }
  EXPECT_TRUE(is_the_same());
  EXPECT_EQ(number_of(dir_ / "a/.lock"), lock);
  EXPECT_NO_THROW(RunFolder::Open(files_, dir_ / "a"));
  EXPECT_EQ(ReadTextFile(dir_ / "a/config.pbtxt"), "second");
  EXPECT_THAT(files_.ListDirectory(dir_ / "a"), ::testing::ElementsAre(".lock", "config.pbtxt"));
  close(handle);
}

TEST_F(RunFolderTest, WhatAKilledProcessLeftInAFolderThatHasToStayIsInNobodysWay) {
  fs::create_directories(dir_ / "a/.run.tmp-12");
  WriteTextFile(dir_ / "a/.run.tmp-12/.lock", "");
  FaultyFileSystem mounted;
  mounted.PinDirectories();
  RunFolder::Create(mounted, dir_ / "a", "x", kFail);
  EXPECT_THAT(files_.ListDirectory(dir_ / "a"), ::testing::ElementsAre(".lock", "config.pbtxt"));
  // A folder that it had put aside is somebody's run.
  fs::create_directories(dir_ / "b/.run.tmp-12-old");
  EXPECT_ERROR(RunFolder::Create(mounted, dir_ / "b", "x", kFail), ErrorKind::kInvalidInput, HasSubstr("exists"));
}

TEST_F(RunFolderTest, TheWorkingFolderStaysOneAndNoneAboveItIsReplaced) {
  const ScopedWorkingFolder back;
  fs::create_directory(dir_ / "a");
  fs::current_path(dir_ / "a");
  RunFolder::Create(files_, ".", "first", kFail);
  EXPECT_EQ(ReadTextFile("config.pbtxt"), "first");
  WriteTextFile("metrics.jsonl", "old");
  const RunFolder folder = RunFolder::Create(files_, ".", "second", kOverwrite);
  EXPECT_EQ(ReadTextFile(folder.paths().config()), "second");
  EXPECT_FALSE(fs::exists("metrics.jsonl"));
  EXPECT_EQ(fs::canonical("."), fs::canonical(dir_ / "a"));
  EXPECT_EQ(ReadTextFile(dir_ / "a/config.pbtxt"), "second");

  fs::create_directory("checkpoints");
  fs::current_path("checkpoints");
  const auto before = test::SnapshotOf(dir_.path());
  for (const fs::path& path : {fs::path(".."), dir_ / "a"}) {
    EXPECT_ERROR(RunFolder::Create(files_, path, "third", kOverwrite), ErrorKind::kInvalidInput,
                 HasSubstr("the working folder"));
  }
  EXPECT_EQ(test::SnapshotOf(dir_.path()), before);
}

TEST_F(RunFolderTest, ALinkToNothingIsNamed) {
  fs::create_directory_symlink("real/run", dir_ / "link");
  EXPECT_ERROR(RunFolder::Create(files_, dir_ / "link", "x", kFail), ErrorKind::kInvalidInput,
               ::testing::AllOf(HasSubstr("link: is a link to real/run"), HasSubstr("does not exist")));
  fs::create_directories(dir_ / "real/run");
  RunFolder::Create(files_, dir_ / "link", "x", kFail);
  EXPECT_EQ(ReadTextFile(dir_ / "real/run/config.pbtxt"), "x");
}

TEST_F(RunFolderTest, WithoutLocksItSaysSoAndGoesOn) {
  FaultyFileSystem lustre;
  lustre.LackLocks();
  const auto says = ::testing::ElementsAre(HasSubstr("a: its file system has no locks"));
  EXPECT_THAT(RunFolder::Create(lustre, dir_ / "a", "x", kFail).notes(), says);
  EXPECT_THAT(RunFolder::Create(lustre, dir_ / "a", "y", kOverwrite).notes(), says);
  EXPECT_THAT(RunFolder::Open(lustre, dir_ / "a").notes(), says);
  EXPECT_TRUE(RunFolder::Open(files_, dir_ / "a").notes().empty());
  // Without locks nobody knows whether a process is at work in the folder beside it.
  fs::create_directory(dir_ / ".b.tmp-12");
  WriteTextFile(dir_ / ".b.tmp-12/.lock", "");
  RunFolder::Create(lustre, dir_ / "b", "x", kFail);
  EXPECT_TRUE(fs::exists(dir_ / ".b.tmp-12"));
}

}  // namespace
}  // namespace twofour::train
