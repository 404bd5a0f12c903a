#include "twofour/train/run_path.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/expect_error.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_file.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;
using test::TempDir;
using test::WriteTextFile;
using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(RunPathTest, ASlashAtTheEndIsNoPartOfTheFolder) {
  EXPECT_EQ(FolderPath("runs/a/"), "runs/a");
  EXPECT_EQ(FolderPath("runs/a"), "runs/a");
  EXPECT_EQ(FolderPath("./runs//a/."), "runs/a");
  EXPECT_EQ(FolderPath(""), "");
}

class FindRunTest : public ::testing::Test {
 protected:
  FindRunTest() {
    run_ = fs::canonical(dir_.path()) / "run";
    fs::create_directories(run_ / "checkpoints");
    WriteTextFile(run_ / "config.pbtxt", "seed: 1\n");
  }

  fs::path AddCheckpoint(const std::string& name) {
    const fs::path checkpoint = run_ / "checkpoints" / name;
    fs::create_directories(checkpoint);
    WriteTextFile(checkpoint / "trainer.json", "{}");
    return checkpoint;
  }

  TempDir dir_;
  fs::path run_;
};

TEST_F(FindRunTest, AFolderStandsForItsNewestCheckpoint) {
  EXPECT_FALSE(FindRun("--resume", run_.string()).checkpoint);
  AddCheckpoint("step-9");
  const fs::path newest = AddCheckpoint("step-10");
  const RunPath found = FindRun("--resume", run_.string() + "/");
  EXPECT_EQ(found.folder, run_);
  EXPECT_EQ(found.checkpoint, newest);
  EXPECT_FALSE(found.names_checkpoint);
}

TEST_F(FindRunTest, ACheckpointMayBeNamedThroughALink) {
  const fs::path first = AddCheckpoint("step-9");
  AddCheckpoint("step-10");
  fs::create_directory_symlink("step-9", run_ / "checkpoints/best");
  for (const char* name : {"checkpoints/step-9", "checkpoints/best", "checkpoints/best/"}) {
    const RunPath found = FindRun("--resume", (run_ / name).string());
    EXPECT_EQ(found.folder, run_) << name;
    EXPECT_EQ(found.checkpoint, first) << name;
    EXPECT_TRUE(found.names_checkpoint) << name;
  }
}

TEST_F(FindRunTest, CheckpointsMayLieOnAnotherDisk) {
  // Another run has its config two folders above the checkpoints.
  const fs::path disk = fs::canonical(dir_.path()) / "other/disk";
  fs::create_directories(disk);
  WriteTextFile(dir_ / "other/config.pbtxt", "seed: 2\n");
  fs::remove(run_ / "checkpoints");
  fs::create_directory_symlink(disk, run_ / "checkpoints");
  const fs::path first = AddCheckpoint("step-9"), newest = AddCheckpoint("step-10");
  fs::create_directory_symlink("step-10", run_ / "checkpoints/last");
  for (const char* name : {"checkpoints/step-9", "checkpoints/last", "../run/checkpoints/last/"}) {
    const RunPath found = FindRun("--resume", (run_ / name).string());
    EXPECT_EQ(found.folder, run_) << name;
    EXPECT_EQ(found.checkpoint, name == std::string("checkpoints/step-9") ? first : newest) << name;
  }
}

TEST_F(FindRunTest, ALinkToACheckpointOfAnotherRunIsOfThatRun) {
  const fs::path checkpoint = AddCheckpoint("step-9");
  fs::create_directories(dir_ / "b/checkpoints");
  WriteTextFile(dir_ / "b/config.pbtxt", "seed: 2\n");
  fs::create_directory_symlink(checkpoint, dir_ / "b/checkpoints/of-a");
  const RunPath found = FindRun("--resume", (dir_ / "b/checkpoints/of-a").string());
  EXPECT_EQ(found.folder, run_);
  EXPECT_EQ(found.checkpoint, checkpoint);
}

TEST_F(FindRunTest, AFileMayStandForALink) {
  const fs::path checkpoint = AddCheckpoint("step-9");
  WriteTextFile(run_ / "checkpoints/last", "step-9\n");
  const RunPath found = FindRun("--resume", (run_ / "checkpoints/last").string());
  EXPECT_EQ(found.folder, run_);
  EXPECT_EQ(found.checkpoint, checkpoint);
}

TEST_F(FindRunTest, ACheckpointOfNoRunIsRefused) {
  fs::rename(AddCheckpoint("step-9"), dir_ / "step-9");
  EXPECT_ERROR(FindRun("--resume", (dir_ / "step-9").string()), ErrorKind::kInvalidInput,
               AllOf(HasSubstr("lies in no run's folder"), HasSubstr("config.pbtxt")));
}

TEST_F(FindRunTest, WhatIsNeitherIsRefused) {
  for (const fs::path& path : {run_ / "checkpoints", run_ / "none"}) {
    EXPECT_ERROR(FindRun("--resume", path.string()), ErrorKind::kInvalidInput,
                 AllOf(HasSubstr("--resume " + path.string()), HasSubstr("config.pbtxt")));
  }
}

}  // namespace
}  // namespace twofour::train
