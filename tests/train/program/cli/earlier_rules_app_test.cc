// Runs that an earlier twofour began on tables that would now be refused or scaled in another way.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/support/text_file.h"
#include "tests/train/program/cli/app_runner.h"

namespace twofour::train {
namespace {

using test::AppRunner;
using test::FailsWith;
using test::Outcome;
using test::ReadTextFile;
using test::WriteTextFile;
using ::testing::HasSubstr;

constexpr const char* kConfig = R"(
model { residual_mlp { width: 16 hidden_features: 32 num_blocks: 1 } }
training { steps: 4 batch_size: 8 }
evaluation { every_steps: 4 }
checkpoint { every_steps: 2 }
logging { every_steps: 2 tensorboard: false }
)";

class EarlierRulesAppTest : public AppRunner {
 protected:
  EarlierRulesAppTest() {
    WriteTextFile(dir_ / "table.pbtxt", kConfig);
    WriteTextFile(dir_ / "t.csv", Table("x,y,k\n"));
  }

  static std::string Table(const std::string& header) {
    std::string text = header;
    for (int i = 0; i < 40; ++i) text += fmt::format("{},{},{}\n", i, (i * 7) % 11, i < 20 ? "b" : "c");
    return text;
  }

  Outcome Train(const std::string& name, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments{
        "--config", Path("table.pbtxt"), "--out", Path(name), "--set", "data.csv.path=" + Path("t.csv")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Run(arguments);
  }
  Outcome Resume(const std::string& name) { return Run({"--resume", Path(name), "--set", "training.steps=6"}); }
  nlohmann::json Data(const std::string& run) { return nlohmann::json::parse(ReadTextFile(dir_ / run / "data.json")); }
};

TEST_F(EarlierRulesAppTest, ARunWhoseFirstRowWasTakenForAHeaderStillResumes) {
  const std::string table = Table("?,1.5,b\n");
  WriteTextFile(dir_ / "t.csv", table);
  EXPECT_THAT(Train("new"), FailsWith(2, HasSubstr("t.csv: line 1, column 0 (counted from 0): \"?\"")));
  ASSERT_EQ(Train("whole", {"--set", "training.steps=6", "--set", "data.csv.header=YES"}).code, 0);
  ASSERT_EQ(Train("run", {"--set", "data.csv.header=YES"}).code, 0);
  std::string config = ReadTextFile(dir_ / "run/config.pbtxt");
  config.replace(config.find("header: YES"), 11, "header: AUTO");
  WriteTextFile(dir_ / "run/config.pbtxt", config);
  const Outcome outcome = Resume("run");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("note: the data is read as when the run began"));
  EXPECT_EQ(ReadTextFile(dir_ / "run/model.safetensors"), ReadTextFile(dir_ / "whole/model.safetensors"));
  EXPECT_EQ(Data("run"), Data("whole"));
  WriteTextFile(dir_ / "t.csv", table + "90,4,c\n");
  EXPECT_THAT(Run({"--resume", Path("run"), "--set", "training.steps=8"}), FailsWith(2, HasSubstr("t.csv: line 1")));
}

TEST_F(EarlierRulesAppTest, ARunOnAFeatureWhoseScaleWasLostStillResumes) {
  std::string table = "p,k\n";
  for (int i = 0; i < 40; ++i) table += fmt::format("{}e-170,{}\n", i + 1, i < 20 ? "b" : "c");
  WriteTextFile(dir_ / "t.csv", table);
  ASSERT_EQ(Train("run").code, 0);
  nlohmann::json record = Data("run");
  EXPECT_NEAR(record["feature_std"][0].get<double>() * 1e170, std::sqrt((40 * 40 - 1) / 12.0), 1);
  // What an earlier twofour computed from the squares.
  record["feature_std"][0] = 1.0;
  WriteTextFile(dir_ / "run/data.json", record.dump());
  const Outcome outcome = Resume("run");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("note: the data is read as when the run began"));
  EXPECT_EQ(Data("run")["feature_std"][0], 1.0);
  record["feature_std"][0] = 2.0;
  WriteTextFile(dir_ / "run/data.json", record.dump());
  EXPECT_THAT(Run({"--resume", Path("run"), "--set", "training.steps=8"}),
              FailsWith(2, HasSubstr("the standard deviation of feature \"p\"")));
}

TEST_F(EarlierRulesAppTest, ARunWhoseEvaluationFileHadNoHeaderStillResumes) {
  const std::string headless = Table("");
  WriteTextFile(dir_ / "e.csv", Table("x,y,k\n"));
  const std::vector<std::string> eval = {"--set", "data.csv.eval_path=" + Path("e.csv")};
  ASSERT_EQ(Train("run", eval).code, 0);
  WriteTextFile(dir_ / "e.csv", headless);
  EXPECT_THAT(Train("new", eval), FailsWith(2, HasSubstr("e.csv: line 1 names no columns, but that of ")));
  EXPECT_THAT(Resume("run"), FailsWith(2, HasSubstr("e.csv: line 1 names no columns")));
  // Earlier records did not list the files.
  nlohmann::json record = Data("run");
  record["version"] = 1;
  record.erase("files");
  WriteTextFile(dir_ / "run/data.json", record.dump());
  EXPECT_EQ(Resume("run").code, 0);
}

}  // namespace
}  // namespace twofour::train
