#include "twofour/train/program/sweep/sweep_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/expect_error.h"
#include "tests/train/program/sweep/sweep_files.h"

namespace twofour::train {
namespace {

using test::SweepFiles;
using test::WriteTextFile;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class SweepRecordTest : public SweepFiles {
 protected:
  SweepRecord Begin(const SweepPlan& plan, const std::optional<SweepRecord>& before = std::nullopt) {
    return BeginRecord(plan, FindRunStates(FileSystem::Default(), plan), before);
  }
};

std::vector<std::string> Outcomes(const SweepRecord& record) {
  std::vector<std::string> names;
  for (const RecordedRun& run : record.runs) names.emplace_back(NameOf(run.outcome));
  return names;
}

TEST_F(SweepRecordTest, BeginsWithWhatLiesInTheFolders) {
  const SweepPlan plan = Plan("seed: [1, 2, 3] baseline: 'base'");
  LeaveRun(plan.runs[0], true);
  LeaveRun(plan.runs[1], false);
  const SweepRecord record = Begin(plan);
  EXPECT_EQ(record.name, "trial");
  EXPECT_EQ(record.baseline, "base");
  EXPECT_THAT(Outcomes(record), ElementsAre("finished", "interrupted", "not started"));
  EXPECT_EQ(record.runs[1].folder, "base/seed-2");
  EXPECT_EQ(record.runs[1].seed, 2u);
}

TEST_F(SweepRecordTest, WhyARunFailedHoldsUntilItIsStartedAgain) {
  const SweepPlan plan = Plan("seed: [1, 2, 3, 4, 5, 6]");
  SweepRecord before = Begin(plan);
  const std::vector<RunOutcome> outcomes = {RunOutcome::kFailed,   RunOutcome::kTimedOut, RunOutcome::kFailed,
                                            RunOutcome::kUnderWay, RunOutcome::kSkipped,  RunOutcome::kFinished};
  for (size_t i = 0; i < outcomes.size(); ++i) {
    before.runs[i].outcome = outcomes[i];
    before.runs[i].reason = "so it was";
  }
  LeaveRun(plan.runs[2], true);   // It was finished by hand since.
  LeaveRun(plan.runs[3], false);  // The sweep was killed.
  const SweepRecord record = Begin(plan, before);
  EXPECT_THAT(Outcomes(record),
              ElementsAre("failed", "timed out", "finished", "interrupted", "not started", "not started"));
  EXPECT_EQ(record.runs[0].reason, "so it was");
  EXPECT_EQ(record.runs[2].reason, "");
  EXPECT_EQ(record.runs[3].reason, "");
  EXPECT_THAT(Outcomes(Begin(Plan("seed: [7]"), before)), ElementsAre("not started"));  // It belongs to another plan.
}

TEST_F(SweepRecordTest, ComesBackAsItWasWritten) {
  const SweepPlan plan = Plan("axis { field: 'learning_rate.lr' value: '0.5' } seed: 18446744073709551615");
  SweepRecord record = Begin(plan);
  record.runs[0].outcome = RunOutcome::kTimedOut;
  record.runs[0].reason = "\"quotes\" <b> \n ü";
  WriteTextFile(dir_ / "sweep.json", ToJson(record));
  const SweepRecord read = LoadSweepRecord(FileSystem::Default(), dir_.path()).value();
  EXPECT_EQ(ToJson(read), ToJson(record));
  EXPECT_EQ(read.runs[0].seed, 18446744073709551615u);
  EXPECT_EQ(read.runs[0].reason, record.runs[0].reason);
  proto::Config planned = plan.runs[0].config;
  planned.set_threads(0);
  EXPECT_EQ(ToText(ConfigsOf(read).at(0)), ToText(planned));
}

TEST_F(SweepRecordTest, AFolderWithoutOneHasNone) {
  EXPECT_FALSE(LoadSweepRecord(FileSystem::Default(), dir_.path()));
  EXPECT_FALSE(LoadSweepRecord(FileSystem::Default(), dir_ / "none"));
}

TEST_F(SweepRecordTest, WhatIsNoUtf8IsReplaced) {
  SweepRecord record = Begin(Plan(""));
  record.runs[0].reason = "a\xff";
  EXPECT_EQ(ParseSweepRecord(ToJson(record), "s").runs[0].reason, "a\uFFFD");
}

TEST_F(SweepRecordTest, HostileTextIsAnErrorThatSaysWhere) {
  const auto good = nlohmann::ordered_json::parse(ToJson(Begin(Plan("seed: [1, 2]"))));
  const auto expect = [&](const auto& change, const std::string& message) {
    auto json = good;
    change(json);
    EXPECT_ERROR(ParseSweepRecord(json.dump(), "s.json"), ErrorKind::kInvalidInput,
                 AllOf(StartsWith("s.json: "), HasSubstr(message)));
  };
  EXPECT_NO_THROW(ParseSweepRecord(good.dump(), "s.json"));
  for (const char* text : {"", "[]", "3", "{", "{\"name\":\"\\ud800\"}", "[[[[[["}) {
    EXPECT_ERROR(ParseSweepRecord(text, "s.json"), ErrorKind::kInvalidInput, StartsWith("s.json: expected an object"));
  }
  expect([](auto& json) { json.erase("name"); }, "no name");
  expect([](auto& json) { json["base"] = 3; }, "base: expected text");
  expect([](auto& json) { json["runs"] = "none"; }, "runs: expected a list");
  expect([](auto& json) { json["runs"][1] = nullptr; }, "run 2: expected an object");
  expect([](auto& json) { json["runs"][0]["seed"] = -1; }, "run 1: seed: expected a whole number");
  expect([](auto& json) { json["runs"][0]["seed"] = 1.5; }, "seed: expected a whole number");
  expect([](auto& json) { json["runs"][0]["set"] = {1}; }, "set: expected text");
  expect([](auto& json) { json["runs"][0]["state"] = "great"; }, "state: expected finished, failed");
  expect([](auto& json) { json["runs"][0]["reason"] = nullptr; }, "reason: expected text");
  expect([](auto& json) { json["runs"][1]["folder"] = json["runs"][0]["folder"]; }, "run 2: its folder is another");
  for (const std::string folder : {"", ".", "..", "/etc", "../x", "a/../../x", "a/./b", "a//b", "a/..", "a/"}) {
    expect([&](auto& json) { json["runs"][0]["folder"] = folder; }, "folder: expected a path within");
  }
  expect([](auto& json) { json["runs"][0]["folder"] = std::string("a\0b", 3); }, "folder: expected a path within");
  expect(
      [](auto& json) {
        for (int i = 0; i < 1000; ++i) json["runs"].push_back(json["runs"][0]);
      },
      "1002 runs, expected at most 1000");
}

TEST_F(SweepRecordTest, WhatAnEarlierSweepTrainedIsReadAsItWasTrained) {
  SweepRecord record = Begin(Plan(""));
  record.runs[0].set = {"optimizer.sgd.momentum=0.9", "optimizer.adamw.weight_decay=0.5", "learning_rate.lr=1",
                        "learning_rate.lr=2", "evaluation.max_batches=3"};
  const proto::Config config = ConfigsOf(record).at(0);  // PlanSweep now refuses such a list.
  EXPECT_EQ(config.optimizer().adamw().weight_decay(), 0.5);
  EXPECT_EQ(config.learning_rate().lr(), 2);
  EXPECT_EQ(config.evaluation().max_batches(), 3);  // Without an effect on a classifier.
}

TEST_F(SweepRecordTest, AConfigThatIsNotValidIsAnError) {
  SweepRecord record = Begin(Plan(""));
  record.runs[0].set.push_back("training.steps=-1");
  EXPECT_ERROR(ConfigsOf(record), ErrorKind::kInvalidInput, HasSubstr("base/seed-1: config: training.steps: -1"));
  record.runs[0].set.push_back("training.batch_size=0");
  EXPECT_ERROR(ConfigsOf(record), ErrorKind::kInvalidInput, HasSubstr("\nbase/seed-1: config: training.batch_size: 0"));
  record.base_config = "nonsense";
  EXPECT_ERROR(ConfigsOf(record), ErrorKind::kInvalidInput, HasSubstr("base:1:"));
}

}  // namespace
}  // namespace twofour::train
