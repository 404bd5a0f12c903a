#include "twofour/train/program/sweep/run_output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"
#include "tests/support/text_file.h"

namespace twofour::train {
namespace {

using test::TempDir;
using test::WriteTextFile;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(LastLinesTest, AreAsManyAsThereAre) {
  const TempDir dir;
  WriteTextFile(dir / "log", "a\nb\nc\n");
  EXPECT_THAT(LastLines(dir / "log", 2), ElementsAre("b", "c"));
  EXPECT_THAT(LastLines(dir / "log", 9), ElementsAre("a", "b", "c"));
  EXPECT_THAT(LastLines(dir / "none", 9), IsEmpty());
  WriteTextFile(dir / "log", std::string(100 << 10, 'x') + "\nlast");
  EXPECT_THAT(LastLines(dir / "log", 9), ElementsAre("last"));
}

TEST(LastLinesTest, BeginWithTheTrainersMessageWhereALauncherHasTheLastWord) {
  const test::TempDir dir;
  const std::string block = "---\nPrimary job terminated\n1 process returned\n---\n";
  WriteTextFile(dir / "log", "step 1\ntrainer: the disk is full\n" + block);
  EXPECT_THAT(LastLines(dir / "log", 3), ElementsAre("trainer: the disk is full", "---", "Primary job terminated"));
  EXPECT_THAT(LastLines(dir / "log", 6).front(), "step 1");
  // An earlier run's message is none.
  WriteTextFile(dir / "log", "trainer: old\n" + std::string(80, '\n') + block);
  EXPECT_THAT(LastLines(dir / "log", 2), ElementsAre("1 process returned", "---"));
}

TEST(LastEvaluationLossTest, IsThatOfTheLastEvaluation) {
  const TempDir dir;
  WriteTextFile(dir / "metrics",
                "{\"step\":1,\"split\":\"eval\",\"loss\":2.5}\n{\"step\":2,\"split\":\"eval\",\"loss\":1.5}\n"
                "{\"step\":2,\"split\":\"sparsity\",\"loss\":9}\n{\"step\":3,\"split\":\"ev");
  EXPECT_EQ(LastEvaluationLoss(dir / "metrics"), 1.5);
}

TEST(LastEvaluationLossTest, IsNoneWhereThereIsNone) {
  const TempDir dir;
  EXPECT_EQ(LastEvaluationLoss(dir / "none"), std::nullopt);
  WriteTextFile(dir / "metrics",
                "[]\n7\n{}\n{\"split\":3}\n{\"split\":\"eval\"}\n{\"split\":\"eval\",\"loss\":null}\n");
  EXPECT_EQ(LastEvaluationLoss(dir / "metrics"), std::nullopt);
}

TEST(FindLastWordsTest, AreTheTrainersMessageOrElseTheLastLineThatSaysAnything) {
  const TempDir dir;
  const auto words = [&](const std::string& log, uint64_t from = 0) {
    WriteTextFile(dir / "log", log);
    const LastWords found = FindLastWords(dir / "log", from);
    return (found.is_error ? "error: " : "") + found.text;
  };
  EXPECT_EQ(words("step 1\ntrainer: config: a: 1\nconfig: b: 2\n"), "error: config: a: 1");
  EXPECT_EQ(words("trainer: an earlier one\ntrainer: the last one\nAborted\n"), "error: the last one");
  EXPECT_EQ(words("step 2/6  loss 0.5\r\n\n   \n----\n"), "step 2/6  loss 0.5");
  EXPECT_EQ(words("step 1\rstep 2\rstep 3"), "step 3");
  EXPECT_EQ(words("\n\n"), "");
  EXPECT_EQ(words(""), "");
  EXPECT_EQ(words("trainer: earlier\nnow\n", 17), "now");
  EXPECT_EQ(words("trainer: earlier\n", 17), "");
  EXPECT_EQ(words("a\xff\x1b[31m"), "a\uFFFD\uFFFD[31m");
  EXPECT_EQ(words("trainer: " + std::string(5000, 'x')), "error: " + std::string(299, 'x') + "…");
  EXPECT_EQ(words(std::string(200 << 10, 'x') + "\nthe end\n"), "the end");
  EXPECT_EQ(FindLastWords(dir / "none", 0).text, "");
  EXPECT_EQ(words("shorter than that", 1000), "");
}

}  // namespace
}  // namespace twofour::train
