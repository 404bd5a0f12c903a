// Runs and the data that they began with. A change is found wherever a run or its weights are used again.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <nlohmann/json.hpp>

#include "twofour/train/program/config/build.h"
#include "twofour/train/program/config/text_config.h"

#include "tests/support/folder_snapshot.h"
#include "tests/support/text_file.h"
#include "tests/train/program/cli/config_runner.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;
using test::ConfigRunner;
using test::FailsWith;
using test::Outcome;
using test::ReadTextFile;
using test::SnapshotOf;
using test::WriteTextFile;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kConfig = R"(
model { residual_mlp { width: 16 hidden_features: 32 num_blocks: 1 } }
training { steps: 4 batch_size: 8 }
evaluation { every_steps: 4 }
checkpoint { every_steps: 2 }
logging { every_steps: 2 tensorboard: false }
)";

class ChangedDataAppTest : public ConfigRunner {
 protected:
  ChangedDataAppTest() : ConfigRunner(kConfig, "table.pbtxt") {
    WriteTextFile(dir_ / "t.csv", Table("x,y,k", "b", "c"));
  }

  /// Forty rows of two features, of which the first decides the class.
  static std::string Table(const std::string& header, const std::string& low, const std::string& high) {
    std::string text = header + "\n";
    for (int i = 0; i < 40; ++i) text += fmt::format("{},{},{}\n", i, (i * 7) % 11, i < 20 ? low : high);
    return text;
  }

  Outcome Train(const std::string& name, const std::vector<std::string>& more = {}) {
    return ConfigRunner::Train(name, Joined(Set({"data.csv.path=" + Path("t.csv")}), more));
  }
  Outcome Resume(const std::string& name, const std::vector<std::string>& more = {}) {
    return ConfigRunner::Resume(name, Joined(Set({"training.steps=6"}), more));
  }
  nlohmann::json Data(const std::string& run) { return nlohmann::json::parse(ReadTextFile(dir_ / run / "data.json")); }
};

TEST_F(ChangedDataAppTest, ARenamedClassIsAnErrorOnResumeAndChangesNothing) {
  ASSERT_EQ(Train("run").code, 0);
  const auto before = SnapshotOf(dir_ / "run");
  WriteTextFile(dir_ / "t.csv", Table("x,y,k", "b", "a"));
  for (const std::vector<std::string>& more :
       {std::vector<std::string>{}, {"--dry-run"}, {"--out", Path("branch")}, {"--set", "training.steps=4"}}) {
    EXPECT_THAT(Resume("run", more),
                FailsWith(2, AllOf(HasSubstr("data.json"), HasSubstr("class 0 is \"a\", was \"b\""),
                                   HasSubstr("--accept-changed-data"))));
  }
  // The model has no class "a".
  EXPECT_THAT(Resume("run", {"--accept-changed-data"}),
              FailsWith(2, AllOf(HasSubstr("t.csv: line 22: class \"a\" is none that the model was made with"))));
  EXPECT_EQ(SnapshotOf(dir_ / "run"), before);
  EXPECT_FALSE(fs::exists(dir_ / "branch"));
}

TEST_F(ChangedDataAppTest, SwappedColumnsAreAnErrorOnResume) {
  ASSERT_EQ(Train("run").code, 0);
  const auto before = SnapshotOf(dir_ / "run");
  WriteTextFile(dir_ / "t.csv", Table("y,x,k", "b", "c"));
  EXPECT_THAT(Resume("run"), FailsWith(2, HasSubstr("column 0 is \"y\", was \"x\"")));
  EXPECT_THAT(Resume("run", {"--accept-changed-data"}), FailsWith(2, HasSubstr("column 0 is \"y\", was \"x\"")));
  EXPECT_EQ(SnapshotOf(dir_ / "run"), before);
}

TEST_F(ChangedDataAppTest, ADifferenceOfOneByteIsFound) {
  ASSERT_EQ(Train("run").code, 0);
  std::string text = ReadTextFile(dir_ / "t.csv");
  text[text.find("\n17,") + 1] = '9';
  WriteTextFile(dir_ / "t.csv", text);
  EXPECT_THAT(Resume("run"), FailsWith(2, AllOf(HasSubstr("csv.path"), HasSubstr("t.csv"), HasSubstr("CRC-32C"))));
}

TEST_F(ChangedDataAppTest, OtherDataByPathIsTheSameErrorAndAtTheLastStepTheRecordStays) {
  ASSERT_EQ(Train("run").code, 0);
  const auto before = SnapshotOf(dir_ / "run");
  WriteTextFile(dir_ / "other.csv", Table("x,y,k", "p", "q"));
  const std::string other = "data.csv.path=" + Path("other.csv");
  EXPECT_THAT(Run({"--resume", Path("run"), "--set", other}), FailsWith(2, HasSubstr("class 0 is \"p\", was \"b\"")));
  EXPECT_THAT(Resume("run", {"--set", other}), FailsWith(2, HasSubstr("class 0 is \"p\", was \"b\"")));
  EXPECT_EQ(SnapshotOf(dir_ / "run"), before);
}

TEST_F(ChangedDataAppTest, TheSameContentsElsewhereAreTheSameData) {
  ASSERT_EQ(Train("run").code, 0);
  ASSERT_EQ(Train("whole", {"--set", "training.steps=6"}).code, 0);
  fs::rename(dir_ / "t.csv", dir_ / "moved.csv");
  const Outcome outcome = Resume("run", {"--set", "data.csv.path=" + Path("moved.csv")});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(ReadTextFile(dir_ / "run/model.safetensors"), ReadTextFile(dir_ / "whole/model.safetensors"));
  EXPECT_EQ(Data("run")["files"][0]["path"], Path("moved.csv"));
}

TEST_F(ChangedDataAppTest, OtherSamplesOfTheSameFileAreChangedDataToo) {
  ASSERT_EQ(Train("run", {"--set", "data.csv.standardize=false"}).code, 0);
  EXPECT_THAT(Resume("run", {"--set", "data.csv.split_seed=2"}), FailsWith(2, HasSubstr("split_seed: 1 -> 2")));
  EXPECT_THAT(Resume("run", {"--set", "data.csv.eval_fraction=0.5"}), FailsWith(2, HasSubstr("eval_fraction")));
  EXPECT_THAT(Resume("run", {"--set", "data.csv.standardize=true"}),
              FailsWith(2, HasSubstr("features are scaled, were not")));
  EXPECT_THAT(Resume("run", {"--set", "data.csv.standardize=true", "--accept-changed-data"}),
              FailsWith(2, HasSubstr("standardize: true, but the model was made with features that are not scaled")));
  EXPECT_EQ(Resume("run", {"--set", "data.csv.split_seed=2", "--accept-changed-data"}).code, 0);
}

TEST_F(ChangedDataAppTest, AcceptedChangesKeepTheRunsOwnClassesAndScaling) {
  ASSERT_EQ(Train("run").code, 0);
  const nlohmann::json before = Data("run");
  // More rows, of a single class, on another scale.
  std::string text = "x,y,k\n";
  for (int i = 0; i < 60; ++i) text += fmt::format("{},{},c\n", 1000 + i, i);
  WriteTextFile(dir_ / "t.csv", text);
  EXPECT_EQ(Resume("run").code, 2);
  const Outcome outcome = Resume("run", {"--accept-changed-data"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("going on with changed data: csv.path"));
  const nlohmann::json after = Data("run");
  for (const char* key : {"class_names", "feature_names", "feature_mean", "feature_std"}) {
    EXPECT_EQ(after[key], before[key]) << key;
  }
  EXPECT_NE(after["files"], before["files"]);
  EXPECT_EQ(after["train_samples"], 48);
  // From now on, this is the run's data.
  EXPECT_EQ(Run({"--resume", Path("run"), "--set", "training.steps=8"}).code, 0);
  EXPECT_EQ(Data("run")["feature_mean"], before["feature_mean"]);
}

TEST_F(ChangedDataAppTest, ATextMayGrowWhereThatIsAcceptedButItsVocabularyStays) {
  const std::string text(400, 'a');
  WriteTextFile(dir_ / "text", text + "bcd");
  WriteTextFile(dir_ / "gpt.pbtxt", R"(
    model { gpt { depth: 1 width: 16 heads: 1 sequence_length: 8 } }
    training { steps: 4 batch_size: 2 }
    logging { every_steps: 2 tensorboard: false }
  )");
  ASSERT_EQ(Run({"--config", Path("gpt.pbtxt"), "--out", Path("run"), "--set",
                 "data.text={vocabulary: CHARACTERS path: '" + Path("text") + "'}"})
                .code,
            0);
  const std::string vocabulary = ReadTextFile(dir_ / "run/vocabulary.json");
  WriteTextFile(dir_ / "text", text + text);  // With fewer characters.
  EXPECT_THAT(Resume("run"), FailsWith(2, HasSubstr("is gone")));
  EXPECT_EQ(Resume("run", {"--accept-changed-data"}).code, 0);
  EXPECT_EQ(ReadTextFile(dir_ / "run/vocabulary.json"), vocabulary);
  WriteTextFile(dir_ / "text", text + "z");
  EXPECT_THAT(Run({"--resume", Path("run"), "--set", "training.steps=8", "--accept-changed-data"}),
              FailsWith(2, HasSubstr("'z' (U+007A) is not in the vocabulary that the model was made with")));
  // Puts another vocabulary of the same size beside the weights.
  std::string forged = vocabulary;
  forged.replace(forged.find("abcd"), 4, "abce");
  WriteTextFile(dir_ / "run/vocabulary.json", forged);
  EXPECT_THAT(Run({"sample", "--run", Path("run")}), FailsWith(2, HasSubstr("is not the vocabulary")));
  fs::remove(dir_ / "run/vocabulary.json");
  EXPECT_THAT(Run({"sample", "--run", Path("run")}), FailsWith(2, HasSubstr("vocabulary.json: is missing")));
}

TEST_F(ChangedDataAppTest, WeightsFromARunOfOtherDataComeWithAWarning) {
  ASSERT_EQ(Train("run").code, 0);
  EXPECT_EQ(Run({"retrain", "--from", Path("run"), "--out", Path("again")}).err, "");
  WriteTextFile(dir_ / "t.csv", Table("x,y,k", "b", "a"));
  const auto warns = AllOf(HasSubstr("warning: "), HasSubstr("model.safetensors"), HasSubstr("class 0 is \"a\""));
  for (const char* weights : {"run/model.safetensors", "run/checkpoints/step-4/model.safetensors"}) {
    const Outcome outcome = Train("other", {"--overwrite", "--set", "initial_weights=" + Path(weights)});
    EXPECT_EQ(outcome.code, 0);
    EXPECT_THAT(outcome.err, warns);
  }
  const Outcome retrained = Run({"retrain", "--from", Path("run"), "--out", Path("retrained")});
  EXPECT_EQ(retrained.code, 0);
  EXPECT_THAT(retrained.err, warns);
  const Outcome suggested =
      Run({"suggest-decay", "--config", Path("table.pbtxt"), "--set", "data.csv.path=" + Path("t.csv"), "--set",
           "initial_weights=" + Path("run/model.safetensors"), "--steps", "2", "--lambda", "1e-3"});
  EXPECT_THAT(suggested.err, warns);
  EXPECT_THAT(Run({"--config", Path("run/config.pbtxt"), "--dry-run"}).err,
              AllOf(HasSubstr("warning: "), HasSubstr("config.pbtxt")));
}

TEST_F(ChangedDataAppTest, OtherSamplesOfTheSameMeaningAreFineForInitialWeights) {
  ASSERT_EQ(Train("run", {"--set", "data.csv.standardize=false"}).code, 0);
  WriteTextFile(dir_ / "t.csv", Table("x,y,k", "b", "c") + "50,1,c\n");
  const Outcome outcome = Train(
      "other", {"--set", "data.csv.standardize=false", "--set", "initial_weights=" + Path("run/model.safetensors")});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.err, "");
  EXPECT_THAT(Run({"retrain", "--from", Path("run"), "--out", Path("again")}).err, HasSubstr("csv.path"));
}

TEST_F(ChangedDataAppTest, ARunOfAnEarlierVersionStillResumes) {
  ASSERT_EQ(Train("whole", {"--set", "training.steps=6"}).code, 0);
  ASSERT_EQ(Train("run").code, 0);
  // What an earlier twofour wrote: no names, files and counts, and scaling in float32.
  const nlohmann::json now = Data("run");
  nlohmann::json old{{"description", now["description"]}, {"class_names", now["class_names"]}};
  for (const char* key : {"feature_mean", "feature_std"}) {
    for (const double value : now[key]) old[key].push_back(static_cast<float>(value));
  }
  WriteTextFile(dir_ / "run/data.json", old.dump());
  const auto before = SnapshotOf(dir_ / "run");
  WriteTextFile(dir_ / "t.csv", Table("x,y,k", "b", "a"));
  EXPECT_THAT(Resume("run"), FailsWith(2, HasSubstr("class 0 is \"a\", was \"b\"")));
  WriteTextFile(dir_ / "t.csv", Table("x,y,k", "b", "c") + "90,4,c\n");
  EXPECT_THAT(Resume("run"), FailsWith(2, HasSubstr("mean of feature \"x\"")));
  EXPECT_EQ(SnapshotOf(dir_ / "run"), before);
  WriteTextFile(dir_ / "t.csv", Table("x,y,k", "b", "c"));
  ASSERT_EQ(Resume("run", {"--accept-changed-data"}).code, 0);
  EXPECT_EQ(ReadTextFile(dir_ / "run/model.safetensors"), ReadTextFile(dir_ / "whole/model.safetensors"));
  EXPECT_EQ(Data("run"), Data("whole"));
}

TEST_F(ChangedDataAppTest, WithoutARecordTheRunGoesOnAndSaysThatNothingWasChecked) {
  ASSERT_EQ(Train("run").code, 0);
  fs::remove(dir_ / "run/data.json");
  const Outcome outcome = Resume("run");
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.err, HasSubstr("cannot be checked"));
  EXPECT_TRUE(fs::exists(dir_ / "run/data.json"));
  WriteTextFile(dir_ / "run/data.json", "{\"class_names\": 3}");
  EXPECT_THAT(Run({"--resume", Path("run"), "--set", "training.steps=8"}), FailsWith(2, HasSubstr("class_names")));
}

TEST_F(ChangedDataAppTest, ARecordThatWasEditedIsFoundOut) {
  ASSERT_EQ(Train("run").code, 0);
  nlohmann::json record = Data("run");
  record["feature_mean"][0] = 3.0;
  WriteTextFile(dir_ / "run/data.json", record.dump());
  EXPECT_THAT(Resume("run"), FailsWith(2, HasSubstr("the mean of feature \"x\"")));
}

TEST_F(ChangedDataAppTest, TheRecordIsThereFromTheFirstMoment) {
  // A run that diverges at once leaves a folder, too.
  EXPECT_EQ(Train("run", {"--set", "learning_rate.lr=1e38"}).code, 1);
  EXPECT_EQ(Data("run")["class_names"].size(), 2u);
  WriteTextFile(dir_ / "t.csv", Table("x,y,k", "b", "a"));
  EXPECT_THAT(Resume("run", {"--set", "learning_rate.lr=1e-3"}), FailsWith(2, HasSubstr("class 0")));
}

TEST_F(ChangedDataAppTest, ClassesThatAreNotUtf8ResumeToo) {
  WriteTextFile(dir_ / "t.csv", Table("x,\xe9,k", "caf\xe9", "caf\xe8"));
  ASSERT_EQ(Train("run").code, 0);
  EXPECT_EQ(Data("run")["class_names"][1], "caf\xc3\xa9");
  EXPECT_EQ(Resume("run").code, 0);
  WriteTextFile(dir_ / "t.csv", Table("x,\xe9,k", "caf\xe9", "caf\xe8") + "7,7,caf\xe8\n");
  EXPECT_EQ(Run({"--resume", Path("run"), "--set", "training.steps=8", "--accept-changed-data"}).code, 0);
}

/// The record suffices: other code that applies it to the table gets the inputs that were trained on, to the bit.
TEST_F(ChangedDataAppTest, TheRecordSufficesToMakeTheInputsOfUnixTimes) {
  std::string text = "kind,time,load\n";
  for (int i = 0; i < 50; ++i) {
    text += fmt::format("{},{},{}\n", i % 2 == 0 ? "low" : "high", 1700000000 + 40 * i, 0.1 * ((i * 7) % 13));
  }
  WriteTextFile(dir_ / "t.csv", text);
  ASSERT_EQ(Train("run", {"--set", "data.csv.label=kind"}).code, 0);
  const nlohmann::json record = Data("run");
  EXPECT_EQ(record["feature_names"], (nlohmann::json{"time", "load"}));
  EXPECT_EQ(record["label_name"], "kind");
  EXPECT_EQ(record["class_names"], (nlohmann::json{"high", "low"}));

  const proto::Config config = LoadTextConfig(Path("run/config.pbtxt"));
  const DataSplit split = BuildData(config.data());
  std::vector<int64_t> all(static_cast<size_t>(split.train->size()));
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int64_t>(i);
  const Batch batch = split.train->Get(all);
  // Every row that was trained on must be among the rows made here, with its exact bits and its class.
  std::multimap<std::pair<float, float>, std::string> made;
  std::istringstream lines(text);
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line)) {
    std::istringstream cells(line);
    std::string kind, time, load;
    std::getline(cells, kind, ',');
    std::getline(cells, time, ',');
    std::getline(cells, load, ',');
    const auto input = [&](const std::string& cell, int feature) {
      const double mean = record["feature_mean"][feature], stddev = record["feature_std"][feature];
      return static_cast<float>((std::stod(cell) - mean) / stddev);
    };
    made.emplace(std::pair(input(time, 0), input(load, 1)), kind);
  }
  EXPECT_EQ(made.size(), 50u);
  const float* inputs = batch.inputs.data<float>();
  for (size_t i = 0; i < all.size(); ++i) {
    const auto found = made.find({inputs[2 * i], inputs[2 * i + 1]});
    ASSERT_NE(found, made.end()) << i;
    EXPECT_EQ(found->second, record["class_names"][static_cast<size_t>(batch.targets.data<int32_t>()[i])]);
  }
}

}  // namespace
}  // namespace twofour::train
