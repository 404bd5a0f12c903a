#include "twofour/train/run_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

TEST_F(RunFolderTest, AFailingDiskLeavesNothingBehind) {
  FaultyFileSystem faulty;
  faulty.FailAfterBytes(0);
  EXPECT_ERROR(RunFolder::Create(faulty, dir_ / "a", "x", kFail), ErrorKind::kRuntimeFailure, HasSubstr("a"));
  EXPECT_TRUE(files_.ListDirectory(dir_.path()).empty());
}

}  // namespace
}  // namespace twofour::train
