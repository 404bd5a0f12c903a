// The seconds of training in the records of runs that go on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <optional>
#include <regex>
#include <string>

#include "twofour/train/checkpoint.h"

#include "tests/support/text_file.h"
#include "tests/train/program/cli/resume_runner.h"
#include "tests/train/program/cli/run_records.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;
using test::Outcome;
using test::ReadTextFile;
using test::RecordsOf;
using test::ResumeRunner;
using test::WriteTextFile;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

/// Runs of 6 steps. They are recorded, evaluated and saved at steps 2, 4 and 6.
class TrainingTimeAppTest : public ResumeRunner {
 protected:
  /// The seconds at each step. All records of a step must have the same.
  std::map<int64_t, double> SecondsOf(const std::string& run) {
    std::map<int64_t, double> seconds;
    for (const auto& record : RecordsOf(dir_ / run)) {
      if (!record.contains("training_seconds")) continue;
      const auto [found, added] = seconds.emplace(record["step"], record["training_seconds"]);
      EXPECT_EQ(found->second, record["training_seconds"]) << record;
    }
    return seconds;
  }

  std::optional<double> SecondsAt(const std::string& checkpoint) {
    return CheckpointStore::LoadState(FileSystem::Default(), dir_ / checkpoint).training_seconds;
  }

  /// Turns a run into one that an earlier version made.
  void TakeSecondsFrom(const std::string& run) {
    const auto take = [](const fs::path& file) {
      const std::string text = ReadTextFile(file);
      const std::string without = std::regex_replace(text, std::regex(",\"training_seconds\":[^,}]*"), "");
      EXPECT_NE(without, text);
      WriteTextFile(file, without);
    };
    take(dir_ / run / "metrics.jsonl");
    for (const char* step : {"step-2", "step-4", "step-6"}) take(dir_ / run / "checkpoints" / step / "trainer.json");
  }
};

TEST_F(TrainingTimeAppTest, GrowsWithTheStepsAndIsTheSameInTheCheckpoint) {
  ASSERT_EQ(Train("run").code, 0);
  const auto seconds = SecondsOf("run");
  ASSERT_THAT(seconds, SizeIs(3));
  EXPECT_GT(seconds.at(2), 0);
  EXPECT_GT(seconds.at(4), seconds.at(2));
  EXPECT_GT(seconds.at(6), seconds.at(4));
  for (const int64_t step : {2, 4, 6}) {
    EXPECT_EQ(SecondsAt("run/checkpoints/step-" + std::to_string(step)), seconds.at(step));
  }
}

TEST_F(TrainingTimeAppTest, AResumedRunAndABranchGoOnFromTheirCheckpoint) {
  ASSERT_EQ(Train("run").code, 0);
  const auto before = SecondsOf("run");
  ASSERT_EQ(Resume("run/checkpoints/step-4", {"--out", Path("branch")}).code, 0);
  ASSERT_EQ(Resume("run/checkpoints/step-4", {"--overwrite"}).code, 0);
  for (const char* run : {"run", "branch"}) {
    const auto seconds = SecondsOf(run);
    ASSERT_THAT(seconds, SizeIs(3));
    EXPECT_EQ(seconds.at(2), before.at(2));
    EXPECT_EQ(seconds.at(4), before.at(4));
    EXPECT_GT(seconds.at(6), before.at(4));
    EXPECT_NE(seconds.at(6), before.at(6));
  }
}

TEST_F(TrainingTimeAppTest, GoesOnByTheSpeedsOfARunOfAnEarlierVersion) {
  ASSERT_EQ(Train("run").code, 0);
  TakeSecondsFrom("run");
  double expected = 0;
  for (const auto& record : RecordsOf(dir_ / "run", "train")) {
    if (record["step"] <= 4) expected += 2 * 16 / record["samples_per_s"].get<double>();
  }
  const Outcome outcome = Resume("run/checkpoints/step-4", {"--out", Path("branch")});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("note: " + Path("run/checkpoints/step-4") + ": does not say how long training "));
  EXPECT_THAT(outcome.err, HasSubstr("; training_seconds goes on from 0.0"));
  EXPECT_DOUBLE_EQ(SecondsAt("branch/checkpoints/step-4").value(), expected);
  const auto seconds = SecondsOf("branch");
  ASSERT_THAT(seconds, SizeIs(1));
  EXPECT_GT(seconds.at(6), expected);
  // Now there is nothing left to estimate.
  const Outcome again = Resume("branch/checkpoints/step-4", {"--overwrite"});
  EXPECT_EQ(again.code, 0);
  EXPECT_EQ(again.err, "");
}

TEST_F(TrainingTimeAppTest, StaysUnknownWhereAnEarlierVersionRecordedNoSpeeds) {
  ASSERT_EQ(Train("run", {"--set", "logging.every_steps=0"}).code, 0);
  TakeSecondsFrom("run");
  const Outcome outcome = Resume("run/checkpoints/step-4", {"--overwrite"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("holds no speeds to tell it by, so that training_seconds is not recorded\n"));
  EXPECT_THAT(ReadTextFile(dir_ / "run/metrics.jsonl"), Not(HasSubstr("training_seconds")));
  EXPECT_EQ(SecondsAt("run/checkpoints/step-6"), std::nullopt);
  // At the end of the run nothing is counted, so there is nothing to say.
  EXPECT_EQ(Resume("run").err, "");
}

}  // namespace
}  // namespace twofour::train
