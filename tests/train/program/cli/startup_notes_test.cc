// What the trainer prints before it trains: the classes of the data, and what the user should look at.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tests/support/text_file.h"
#include "tests/train/program/cli/app_runner.h"
#include "tests/train/program/cli/run_records.h"

namespace twofour::train {
namespace {

using test::AppRunner;
using test::FailsWith;
using test::Outcome;
using test::ReadTextFile;
using test::RecordsOf;
using test::WriteTextFile;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class StartupNotesTest : public AppRunner {
 protected:
  Outcome TrainTable(const std::string& table, std::vector<std::string> more = {"--dry-run"}) {
    WriteTextFile(dir_ / "t.csv", table);
    WriteTextFile(dir_ / "t.pbtxt",
                  "model { mlp {} } data { csv {} } training { steps: 4 batch_size: 4 } logging { every_steps: 2 }");
    std::vector<std::string> arguments = {"--config", Path("t.pbtxt"), "--set", "data.csv.path=" + Path("t.csv"),
                                          "--out",    Path("run")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Run(arguments);
  }

  /// How many records of each split the run's metrics have.
  std::map<std::string, int> Records(const std::string& run) {
    std::map<std::string, int> records;
    for (const auto& record : RecordsOf(dir_ / run)) ++records[record["split"]];
    return records;
  }
};

TEST_F(StartupNotesTest, PrintsTheClassesAndTheirCounts) {
  std::string table = "x,k\n";
  for (int i = 0; i < 40; ++i) table += fmt::format("{},{}\n", i * i % 17, i % 4 == 0 ? "rare" : "often");
  const Outcome outcome = TrainTable(table, {"--dry-run", "--set", "data.csv.eval_path=" + Path("t.csv")});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("  classes     often 30/30, rare 10/10 (to train on/to evaluate)\n"));
  EXPECT_EQ(outcome.err, "note: " + Path("t.csv") + ": each of its 40 rows is one of " + Path("t.csv") +
                             " as well: the evaluation says nothing about other data\n");
}

TEST_F(StartupNotesTest, PrintsWhatIsOddAboutTheData) {
  std::string table = "x,c,k\n";
  for (int i = 0; i < 40; ++i)
    table += fmt::format("{},5,{}\n", i * i % 17, i % 2 == 0 ? "1" : i % 4 == 1 ? "2" : "2.0");
  EXPECT_THAT(TrainTable(table).err,
              AllOf(HasSubstr("note: feature \"c\": the same value in all rows to train on\n"),
                    HasSubstr("note: classes \"2\" (10), \"2.0\" (10) look like one class spelled in 2 ways\n")));
}

TEST_F(StartupNotesTest, RefusesAContinuousLabelBeforeAnythingIsWritten) {
  std::string table = "x,y\n";
  for (int i = 0; i < 1000; ++i) table += fmt::format("{},{}\n", i, 0.001 * i * i);
  EXPECT_THAT(TrainTable(table, {}),
              FailsWith(2, AllOf(HasSubstr("column \"y\", the label, holds 1000 different numbers in 1000 rows"),
                                 HasSubstr("data.csv.target: \"y\""), HasSubstr("data.csv.label"))));
  EXPECT_FALSE(std::filesystem::exists(dir_ / "run"));
}

TEST_F(StartupNotesTest, DigitsHaveTheirCountsAsWell) {
  WriteTextFile(
      dir_ / "g.pbtxt",
      "model { mlp {} } data { glyphs { train_size: 64 eval_size: 32 } } training { steps: 1 batch_size: 4 }");
  EXPECT_THAT(Run({"--config", Path("g.pbtxt"), "--out", Path("run"), "--dry-run"}).out, HasSubstr("  classes     0 "));
}

TEST_F(StartupNotesTest, AShortTrialOfAConfigRunsAndResumes) {
  std::string table = "x,k\n";
  for (int i = 0; i < 40; ++i) table += fmt::format("{},{}\n", i * i % 17, i % 2);
  const std::vector<std::string> set = {
      "--set", "learning_rate={ lr: 0.01 schedule: WARMUP_STABLE_DECAY warmup_steps: 100 decay_steps: 500 }"};
  const Outcome outcome = TrainTable(table, set);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("note: learning_rate: a rise of 100 steps in a run of 4: it takes 4\n"));
  // The config keeps what was asked for, because the run may be made longer.
  EXPECT_THAT(ReadTextFile(dir_ / "run/config.pbtxt"), HasSubstr("warmup_steps: 100"));
  EXPECT_EQ(Run({"--resume", Path("run"), "--set", "training.steps=6"}).code, 0);
}

TEST_F(StartupNotesTest, EveryZeroStepsMeansAtTheEndOrNever) {
  std::string table = "x,k\n";
  for (int i = 0; i < 40; ++i) table += fmt::format("{},{}\n", i * i % 17, i % 2);
  ASSERT_EQ(TrainTable(table, {"--set", "evaluation.every_steps=0"}).code, 0);
  EXPECT_EQ(Records("run"), (std::map<std::string, int>{{"train", 2}, {"eval", 1}, {"final", 1}}));
  ASSERT_EQ(TrainTable(table, {"--set", "evaluation.every_steps=0", "--set", "logging.every_steps=0", "--set",
                               "checkpoint.every_steps=0", "--set", "logging.histogram_every_steps=0", "--overwrite"})
                .code,
            0);
  EXPECT_EQ(Records("run"), (std::map<std::string, int>{{"eval", 1}, {"final", 1}}));
  EXPECT_TRUE(std::filesystem::exists(dir_ / "run/checkpoints/step-4"));
  EXPECT_EQ(Run({"report", Path("run"), "--out", Path("r.html")}).code, 0);
}

TEST_F(StartupNotesTest, AnEvaluationTextThatIsTheTrainingTextIsNoted) {
  std::string text;
  for (int i = 0; i < 400; ++i) text += static_cast<char>('a' + i * i % 7);
  WriteTextFile(dir_ / "train.txt", text);
  WriteTextFile(dir_ / "copy.txt", text);
  WriteTextFile(dir_ / "other.txt", text + "a");
  WriteTextFile(dir_ / "gpt.pbtxt",
                "model { gpt { depth: 1 width: 32 heads: 2 sequence_length: 8 } } data { text {} } "
                "training { steps: 50 batch_size: 2 }");
  const auto notes = [&](const char* eval) {
    return Run({"--config", Path("gpt.pbtxt"), "--set", "data.text.path=" + Path("train.txt"), "--set",
                "data.text.eval_path=" + Path(eval), "--out", Path("run"), "--dry-run"});
  };
  const auto same = HasSubstr("holds the same as data.text.path: the evaluation says nothing about other data\n");
  EXPECT_THAT(notes("train.txt").err, same);
  EXPECT_THAT(notes("copy.txt").err, same);
  EXPECT_THAT(notes("other.txt").err, Not(same));
  EXPECT_EQ(notes("other.txt").code, 0);
}

TEST_F(StartupNotesTest, SeparatorsMayBeSpelledOut) {
  std::string table = "x\ty\tk\n";
  for (int i = 0; i < 40; ++i) table += fmt::format("{},5\t{}\t{}\n", i * i % 17, i % 5, i % 2);
  for (const char* tab : {"tab", "\\t", "\t"}) {
    const Outcome outcome = TrainTable(
        table, {"--dry-run", "--set", std::string("data.csv.delimiter=") + tab, "--set", "data.csv.decimal=,"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_THAT(outcome.out, HasSubstr("of 2 features, 2 classes, header: yes"));
  }
  EXPECT_THAT(TrainTable(table), FailsWith(2, HasSubstr("--set data.csv.delimiter=tab")));
}

TEST_F(StartupNotesTest, TokenFilesOfOtherKindsAreRefused) {
  WriteTextFile(dir_ / "gpt.pbtxt",
                "model { gpt { depth: 1 width: 32 heads: 2 sequence_length: 8 } } data { tokens {} } "
                "training { steps: 1 batch_size: 2 }");
  WriteTextFile(dir_ / "text.bin", "First Citizen:\nBefore we proceed any further, hear me speak.\n");
  const Outcome outcome =
      Run({"--config", Path("gpt.pbtxt"), "--set", "data.tokens.path=" + Path("text.bin"), "--out", Path("run")});
  EXPECT_THAT(outcome, FailsWith(2, HasSubstr("text.bin: text; expected ids of 16 bits")));
}

}  // namespace
}  // namespace twofour::train
