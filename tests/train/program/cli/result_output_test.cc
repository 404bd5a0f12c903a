#include "twofour/train/program/cli/result_output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
  ResultOutput output(FileSystem::Default(), (dir_ / "r.csv").string(), out_);
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
  { ResultOutput(FileSystem::Default(), (dir_ / "r.csv").string(), out_).Write("a\n"); }
  EXPECT_EQ(test::ReadTextFile(dir_ / "r.csv"), "before");
  EXPECT_EQ(FilesInFolder(), 1);
}

TEST_F(ResultOutputTest, ADashIsTheStream) {
  ResultOutput output(FileSystem::Default(), "-", out_);
  output.Write("a\n");
  EXPECT_EQ(out_.str(), "a\n");
  output.Finish();
  out_.setstate(std::ios::failbit);
  EXPECT_THROW(output.Write("b\n"), Error);
}

TEST_F(ResultOutputTest, ALinkStaysALink) {
  test::WriteTextFile(dir_ / "r.csv", "before");
  fs::create_symlink("r.csv", dir_ / "link.csv");
  ResultOutput output(FileSystem::Default(), (dir_ / "link.csv").string(), out_);
  output.Write("a\n");
  output.Finish();
  EXPECT_TRUE(fs::is_symlink(dir_ / "link.csv"));
  EXPECT_EQ(test::ReadTextFile(dir_ / "r.csv"), "a\n");
}

TEST_F(ResultOutputTest, DevicesAndFoldersAreNotReplaced) {
  for (const std::string& path :
       {std::string("/dev/null"), dir_.path().string(), dir_.path().string() + "/", std::string()}) {
    EXPECT_THAT([&] { ResultOutput(FileSystem::Default(), path, out_); },
                ThrowsMessage<Error>(HasSubstr("no regular file")))
        << path;
  }
  EXPECT_THROW(ResultOutput(FileSystem::Default(), (dir_ / "none/r.csv").string(), out_), Error);
}

}  // namespace
}  // namespace twofour::train
