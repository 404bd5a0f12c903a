#include "twofour/train/program/cli/result_output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <sstream>

#include "twofour/core/error.h"

#include "tests/support/temp_dir.h"
#include "tests/support/text_file.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

class ResultOutputTest : public ::testing::Test {
 protected:
  std::ptrdiff_t FilesInFolder() const {
    return std::distance(fs::directory_iterator(dir_.path()), fs::directory_iterator());
  }

  test::TempDir dir_;
  std::ostringstream out_;
};

TEST_F(ResultOutputTest, AFileAppearsWholeAndReplacesAnEarlierOne) {
  test::WriteTextFile(dir_ / "r.csv", "before");
  ResultOutput output(FileSystem::Default(), (dir_ / "r.csv").string(), {}, out_);
  output.Write("a\n");
  output.Write("b\n");
  EXPECT_EQ(test::ReadTextFile(dir_ / "r.csv"), "before");
  output.Finish();
  EXPECT_EQ(test::ReadTextFile(dir_ / "r.csv"), "a\nb\n");
  EXPECT_EQ(FilesInFolder(), 1);
  EXPECT_EQ(out_.str(), "");
}

TEST_F(ResultOutputTest, NothingIsLeftOfAnUnfinishedFile) {
  test::WriteTextFile(dir_ / "r.csv", "before");
  { ResultOutput(FileSystem::Default(), (dir_ / "r.csv").string(), {}, out_).Write("a\n"); }
  EXPECT_EQ(test::ReadTextFile(dir_ / "r.csv"), "before");
  EXPECT_EQ(FilesInFolder(), 1);
}

TEST_F(ResultOutputTest, ADashIsTheStream) {
  ResultOutput output(FileSystem::Default(), "-", {}, out_);
  output.Write("a\n");
  EXPECT_EQ(out_.str(), "a\n");
  output.Finish();
  out_.setstate(std::ios::failbit);
  EXPECT_THROW(output.Write("b\n"), Error);
}

TEST_F(ResultOutputTest, ALinkStaysALink) {
  test::WriteTextFile(dir_ / "r.csv", "before");
  fs::create_symlink("r.csv", dir_ / "link.csv");
  ResultOutput output(FileSystem::Default(), (dir_ / "link.csv").string(), {}, out_);
  output.Write("a\n");
  output.Finish();
  EXPECT_TRUE(fs::is_symlink(dir_ / "link.csv"));
  EXPECT_EQ(test::ReadTextFile(dir_ / "r.csv"), "a\n");
}

TEST_F(ResultOutputTest, WhatIsNeededIsNotReplaced) {
  test::WriteTextFile(dir_ / "table.csv", "data");
  fs::create_directory(dir_ / "run");
  fs::create_directories(dir_ / "run/checkpoints/step-1");
  for (const char* name : {"config.pbtxt", "data.json", "model.safetensors", "checkpoints/step-1/trainer.json"}) {
    test::WriteTextFile(dir_ / "run" / name, "mine");
  }
  const auto open = [&](const std::string& path) {
    return [this, path] {
      ResultOutput(FileSystem::Default(), (dir_ / path).string(), {(dir_ / "table.csv").string()}, out_);
    };
  };
  EXPECT_THAT(open("table.csv"), ThrowsMessage<Error>(HasSubstr("which is needed and would be lost")));
  fs::create_hard_link(dir_ / "table.csv", dir_ / "other.csv");
  EXPECT_THAT(open("other.csv"), ThrowsMessage<Error>(HasSubstr("which is needed and would be lost")));
  for (const char* path : {"run/model.safetensors", "run/metrics.jsonl", "run/checkpoints/step-1/model.safetensors"}) {
    EXPECT_THAT(open(path), ThrowsMessage<Error>(HasSubstr("is a file of the run in"))) << path;
  }
  EXPECT_NO_THROW(open("run/predictions.csv")());
  EXPECT_THAT(open("none/r.csv"), ThrowsMessage<Error>(HasSubstr("there is no folder")));
}

TEST_F(ResultOutputTest, WhoMayReadTheFileStaysTheSame) {
  test::WriteTextFile(dir_ / "r.csv", "before");
  fs::permissions(dir_ / "r.csv", fs::perms::owner_read | fs::perms::owner_write);
  ResultOutput output(FileSystem::Default(), (dir_ / "r.csv").string(), {}, out_);
  output.Write("a\n");
  output.Finish();
  EXPECT_EQ(fs::status(dir_ / "r.csv").permissions(), fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(ResultOutputTest, AFileThatMayNotBeWrittenToIsNotReplaced) {
  if (geteuid() == 0) GTEST_SKIP() << "root may write to any file";
  test::WriteTextFile(dir_ / "r.csv", "before");
  fs::permissions(dir_ / "r.csv", fs::perms::owner_read);
  EXPECT_THAT([&] { ResultOutput(FileSystem::Default(), (dir_ / "r.csv").string(), {}, out_); },
              ThrowsMessage<Error>(HasSubstr("r.csv: may not be written to")));
  EXPECT_EQ(test::ReadTextFile(dir_ / "r.csv"), "before");
}

TEST_F(ResultOutputTest, ALinkToItselfIsRefused) {
  fs::create_symlink("loop", dir_ / "loop");
  EXPECT_THAT([&] { ResultOutput(FileSystem::Default(), (dir_ / "loop").string(), {}, out_); },
              ThrowsMessage<Error>(HasSubstr("no regular file")));
}

TEST_F(ResultOutputTest, DevicesAndFoldersAreNotReplaced) {
  for (const std::string& path :
       {std::string("/dev/null"), dir_.path().string(), dir_.path().string() + "/", std::string()}) {
    EXPECT_THAT([&] { ResultOutput(FileSystem::Default(), path, {}, out_); },
                ThrowsMessage<Error>(HasSubstr("no regular file")))
        << path;
  }
  EXPECT_THROW(ResultOutput(FileSystem::Default(), (dir_ / "none/r.csv").string(), {}, out_), Error);
}

}  // namespace
}  // namespace twofour::train
