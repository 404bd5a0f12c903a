#include "twofour/train/program/prune/sensitivity_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "tests/support/expect_error.h"
#include "tests/support/faulty_file_system.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_file.h"

namespace twofour::train {
namespace {

using test::ReadTextFile;
using test::WriteTextFile;
using ::testing::HasSubstr;

JsonObject Header(int seed = 0) {
  JsonObject header;
  return header.Set("format", "twofour sensitivity 1").Set("run", "r").Set("seed", seed);
}

class SensitivityLogTest : public ::testing::Test {
 protected:
  SensitivityLog Open(int seed = 0) { return SensitivityLog(FileSystem::Default(), folder_, Header(seed)); }
  std::string Text() { return ReadTextFile(folder_ / SensitivityLog::kFile); }
  void Write(const std::string& text) { WriteTextFile(folder_ / SensitivityLog::kFile, text); }
  void Refuses(const std::string& message) { EXPECT_ERROR(Open(), ErrorKind::kInvalidInput, HasSubstr(message)); }

  test::TempDir dir_;
  const std::filesystem::path folder_ = dir_ / "a/b";
};

TEST_F(SensitivityLogTest, KeepsLossesToTheBit) {
  const double third = 1.0 / 3, loss = std::nextafter(2.0, 3.0);
  {
    SensitivityLog log = Open();
    EXPECT_FALSE(log.dense_loss());
    log.AddDenseLoss(loss);
    log.Add("a.\"b\"", third, {.sparsity = third, .loss = loss});
    log.Add("a.\"b\"", 0.5, {.sparsity = 0.5, .loss = std::numeric_limits<double>::quiet_NaN()});
    EXPECT_EQ(log.Find("a.\"b\"", third)->loss, loss);
  }
  const std::string text = Text();
  EXPECT_THAT(text, HasSubstr("\"loss\":null"));
  const SensitivityLog log = Open();
  EXPECT_EQ(log.dense_loss(), loss);
  EXPECT_EQ(log.Find("a.\"b\"", third)->loss, loss);
  EXPECT_EQ(log.Find("a.\"b\"", third)->sparsity, third);
  EXPECT_TRUE(std::isnan(log.Find("a.\"b\"", 0.5)->loss));
  EXPECT_FALSE(log.Find("a.\"b\"", 0.75));
  EXPECT_FALSE(log.Find("c", 0.5));
  EXPECT_EQ(Text(), text);
}

/// Wherever a kill cuts the file off, what is whole stays, and the rest is written again.
TEST_F(SensitivityLogTest, DropsALastLineThatIsCutOff) {
  const auto fill = [](SensitivityLog log) {
    if (!log.dense_loss()) log.AddDenseLoss(1.5);
    for (const double level : {0.25, 0.5}) {
      if (!log.Find("a", level)) log.Add("a", level, {.sparsity = level, .loss = 2 + level});
    }
  };
  fill(Open());
  const std::string whole = Text();
  for (size_t size = 0; size < whole.size(); size += 1 + size % 5) {
    Write(whole.substr(0, size));
    fill(Open());
    ASSERT_EQ(Text(), whole) << size;
  }
}

TEST_F(SensitivityLogTest, NamesTheFirstDifference) {
  Open();
  EXPECT_ERROR(Open(1), ErrorKind::kInvalidInput,
               HasSubstr("holds losses of another measurement: seed was 0, and is now 1; choose another folder"));
  Write("{\"format\":\"twofour sensitivity 1\",\"run\":\"r\"}\n");
  Refuses("seed was not known, and is now 0");
  Write("{\"format\":\"twofour sensitivity 1\",\"run\":\"r\",\"seed\":0,\"more\":1}\n");
  Refuses("line 1: holds more than this twofour knows");
}

TEST_F(SensitivityLogTest, LeavesFilesOfOthersAlone) {
  Open();
  for (const std::string text : {"notes", "notes\n", "{}\n", "[1]\n", "{\"format\":\"twofour sensitivity 2\""}) {
    Write(text);
    EXPECT_ERROR(Open(), ErrorKind::kInvalidInput, HasSubstr(SensitivityLog::kFile));
    EXPECT_EQ(Text(), text);
  }
}

TEST_F(SensitivityLogTest, RefusesDamagedLines) {
  Open();
  const std::string header = Text();
  for (const std::string line :
       {"{", "", "[]", "{}", "{\"dense_loss\":null}", "{\"dense_loss\":\"1\"}", "{\"dense_loss\":1e999}",
        "{\"linear\":1,\"level\":0.5,\"sparsity\":0.5,\"loss\":1}", "{\"linear\":\"a\",\"sparsity\":0.5,\"loss\":1}",
        "{\"linear\":\"a\",\"level\":null,\"sparsity\":0.5,\"loss\":1}",
        "{\"linear\":\"a\",\"level\":0.5,\"sparsity\":\"x\",\"loss\":1}",
        "{\"linear\":\"a\",\"level\":0.5,\"sparsity\":0.5}"}) {
    Write(header + line + "\n");
    Refuses("line 2");
  }
  const std::string point = "{\"linear\":\"a\",\"level\":0.5,\"sparsity\":0.5,\"loss\":1}\n";
  Write(header + point + point);
  Refuses("line 3: level 0.5 of a is there twice");
  Write(header + "{\"dense_loss\":1}\n{\"dense_loss\":1}\n");
  Refuses("line 3: expected one dense_loss");
}

TEST_F(SensitivityLogTest, OneAtATime) {
  {
    const SensitivityLog log = Open();
    EXPECT_TRUE(log.locked());
    Refuses("another trainer is at work in this folder");
  }
  EXPECT_NO_THROW(Open());
  test::FaultyFileSystem files;
  files.LackLocks();
  EXPECT_FALSE(SensitivityLog(files, folder_, Header()).locked());
}

TEST_F(SensitivityLogTest, TakesNewAndEmptyFoldersAndItsOwn) {
  FileSystem& files = FileSystem::Default();
  EXPECT_NO_THROW(SensitivityLog::RequireFolder(files, folder_));
  std::filesystem::create_directories(folder_);
  EXPECT_NO_THROW(SensitivityLog::RequireFolder(files, folder_));
  WriteTextFile(folder_ / "other", "");
  EXPECT_ERROR(SensitivityLog::RequireFolder(files, folder_), ErrorKind::kInvalidInput,
               HasSubstr("holds something, but no sensitivity.jsonl"));
  Refuses("holds something");
  EXPECT_ERROR(SensitivityLog::RequireFolder(files, folder_ / "other"), ErrorKind::kInvalidInput,
               HasSubstr("no folder"));
  Write("");
  EXPECT_NO_THROW(SensitivityLog::RequireFolder(files, folder_));
}

}  // namespace
}  // namespace twofour::train
