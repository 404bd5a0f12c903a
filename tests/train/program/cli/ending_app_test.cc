#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "twofour/core/io/safetensors.h"

#include "tests/support/text_file.h"
#include "tests/train/program/cli/config_runner.h"
#include "tests/train/program/cli/run_records.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;
using test::ConfigRunner;
using test::FailsWith;
using test::Outcome;
using test::ReadTextFile;
using test::RecordsOf;
using test::StateWithoutTime;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

/// Few samples and a high rate: the evaluation loss rises long before the end.
constexpr const char* kConfig = R"(
model { residual_mlp { width: 16 hidden_features: 32 num_blocks: 1 } }
data { glyphs { train_size: 32 eval_size: 32 } }
training { steps: 40 batch_size: 16 }
sparsity { enabled: true interval: 3 }
learning_rate { lr: 0.03 }
evaluation { every_steps: 2 }
checkpoint { every_steps: 4 keep: 100 }
logging { every_steps: 1000 tensorboard: false }
)";

/// What a run leaves and prints at its end: which weights, and why it ended.
class EndingAppTest : public ConfigRunner {
 protected:
  EndingAppTest() : ConfigRunner(kConfig) {}

  /// Trains with these fields set.
  Outcome Train(const std::string& name, const std::vector<std::string>& settings = {}) {
    return ConfigRunner::Train(name, Set(settings));
  }

  SafetensorsFile Model(const std::string& run) {
    return LoadSafetensors(FileSystem::Default(), dir_ / run / "model.safetensors");
  }

  /// The evaluation losses of a run by step.
  std::map<int64_t, double> Evaluations(const std::string& run) {
    std::map<int64_t, double> losses;
    for (const auto& record : RecordsOf(dir_ / run, "eval")) losses[record["step"]] = record["loss"];
    return losses;
  }

  int64_t BestStep(const std::string& run) {
    const auto losses = Evaluations(run);
    return std::ranges::min_element(losses, {}, [](const auto& point) { return point.second; })->first;
  }

  nlohmann::json LastRecord(const std::string& run) { return RecordsOf(dir_ / run).back(); }

  void ExpectSameTensors(const std::string& run, const std::string& other) {
    const SafetensorsFile a = Model(run), b = Model(other);
    ASSERT_EQ(a.tensors.size(), b.tensors.size());
    for (const NamedTensor& named : a.tensors) {
      ASSERT_NE(b.Find(named.name), nullptr) << named.name;
      EXPECT_EQ(named.tensor.ToVector(), b.Find(named.name)->ToVector()) << named.name;
    }
  }
};

TEST_F(EndingAppTest, NamesTheBestEvaluationAndKeepsTheLastWeights) {
  const Outcome outcome = Train("run");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const int64_t best = BestStep("run");
  ASSERT_LT(best, 40);
  EXPECT_THAT(outcome.out, HasSubstr("; model: " + Path("run/model.safetensors") + "\nbest evaluation: loss "));
  EXPECT_THAT(outcome.out, ContainsRegex("best evaluation: loss [0-9.]+ after step " + std::to_string(best) +
                                         ", and [0-9.]+ after the last step; its weights: "));
  const std::string folder = Path("run/checkpoints/step-" + std::to_string(best));
  EXPECT_THAT(outcome.out, EndsWith(folder + "\n"));
  EXPECT_TRUE(fs::exists(folder + "/model.safetensors"));
  EXPECT_EQ(Model("run").metadata.at("step"), "40");
  const nlohmann::json last = LastRecord("run");
  EXPECT_EQ(last["split"], "final");
  EXPECT_EQ(last["model_step"], 40);
  EXPECT_EQ(last["best_step"], best);
  EXPECT_EQ(last["best_loss"], Evaluations("run").at(best));
  EXPECT_EQ(last["stopped_early"], false);
}

TEST_F(EndingAppTest, TheBestModelIsThatOfARunThatEndedThere) {
  ASSERT_EQ(Train("last").code, 0);
  const int64_t best = BestStep("last");
  const Outcome outcome = Train("best", {"checkpoint.final=BEST"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("model.safetensors, the weights of step " + std::to_string(best) + "\n"));
  EXPECT_EQ(Model("best").metadata.at("step"), std::to_string(best));
  EXPECT_EQ(LastRecord("best")["model_step"], best);
  ASSERT_EQ(Train("short", {"training.steps=" + std::to_string(best)}).code, 0);
  ExpectSameTensors("best", "short");  // Including masks, which are older than the weights at most steps.
  ASSERT_EQ(Train("pruned", {"checkpoint.final=BEST", "checkpoint.save_pruned=true"}).code, 0);
  ASSERT_EQ(Train("short_pruned", {"checkpoint.save_pruned=true", "training.steps=" + std::to_string(best)}).code, 0);
  ExpectSameTensors("pruned", "short_pruned");
}

TEST_F(EndingAppTest, StopsEarlyAndSaysWhy) {
  ASSERT_EQ(Train("whole").code, 0);
  // Finds the step by brute force over the losses of the run that did not stop.
  int64_t expected = 0, since = 0;
  double lowest = 1e9;
  for (const auto& [step, loss] : Evaluations("whole")) {
    since = loss < lowest ? 0 : since + 1;
    lowest = std::min(lowest, loss);
    expected = step;
    if (since == 4) break;
  }
  ASSERT_LT(expected, 40);
  const Outcome outcome = Train("early", {"training.stop_after_evaluations_without_gain=4"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("stopped early after step " + std::to_string(expected) +
                                     ": 4 evaluations in a row without a loss below "));
  EXPECT_EQ(LastRecord("early")["stopped_early"], true);
  EXPECT_EQ(LastRecord("early")["step"], expected);
  EXPECT_EQ(Model("early").metadata.at("step"), std::to_string(expected));
}

TEST_F(EndingAppTest, AnEarlyStopIsTheSameAcrossAResume) {
  const std::string patience = "training.stop_after_evaluations_without_gain=4";
  ASSERT_EQ(Train("whole", {patience, "checkpoint.final=BEST"}).code, 0);
  const int64_t end = LastRecord("whole")["step"];
  // The last round stands for a kill between the last step and the final model.
  for (int64_t step = 4; step < end + 8; step += 8) {
    fs::remove_all(dir_ / "part");
    fs::copy(dir_ / "whole", dir_ / "part", fs::copy_options::recursive | fs::copy_options::copy_symlinks);
    // Leaves what a kill after this step's checkpoint leaves.
    fs::remove(dir_ / "part/model.safetensors");
    for (const auto& entry : fs::directory_iterator(dir_ / "part/checkpoints")) {
      const std::string name = entry.path().filename().string();
      if (name.starts_with("step-") && std::stoll(name.substr(5)) > step) fs::remove_all(entry.path());
    }
    const Outcome outcome = Run({"--resume", Path("part")});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(ReadTextFile(dir_ / "part/model.safetensors"), ReadTextFile(dir_ / "whole/model.safetensors")) << step;
    EXPECT_EQ(StateWithoutTime(dir_ / "part"), StateWithoutTime(dir_ / "whole"));
  }
}

TEST_F(EndingAppTest, AfterAnEarlyStopThereIsNothingToDoUnlessTheSettingIsChanged) {
  const std::string patience = "training.stop_after_evaluations_without_gain=";
  ASSERT_EQ(Train("early", {patience + "3"}).code, 0);
  std::map<std::string, std::string> before;
  for (const auto& entry : fs::recursive_directory_iterator(dir_ / "early")) {
    if (entry.is_regular_file()) before[entry.path().string()] = ReadTextFile(entry.path());
  }
  const Outcome again = Run({"--resume", Path("early")});
  EXPECT_EQ(again.code, 0);
  EXPECT_THAT(again.out, AllOf(HasSubstr("stopped early after step "), HasSubstr("nothing to train"),
                               HasSubstr("--set training.stop_after_evaluations_without_gain=0")));
  for (const auto& [path, content] : before) EXPECT_EQ(ReadTextFile(path), content) << path;

  ASSERT_EQ(Train("patient", {patience + "6"}).code, 0);
  ASSERT_GT(LastRecord("patient")["step"], LastRecord("early")["step"]);
  const Outcome outcome = Run({"--resume", Path("early"), "--set", patience + "6"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(ReadTextFile(dir_ / "early/model.safetensors"), ReadTextFile(dir_ / "patient/model.safetensors"));
}

TEST_F(EndingAppTest, ARunMadeInPiecesStopsEarlyWhereTheOneInOnePieceDoes) {
  const std::string patience = "training.stop_after_evaluations_without_gain=3";
  ASSERT_EQ(Train("whole", {patience}).code, 0);
  const int64_t stop = LastRecord("whole")["step"];
  ASSERT_LT(stop, 40);
  ASSERT_EQ(Train("parts", {patience, "training.steps=" + std::to_string(stop - 5)}).code, 0);
  for (const int64_t steps : {stop - 3, stop - 1, int64_t{40}}) {
    const Outcome outcome = Run({"--resume", Path("parts"), "--set", "training.steps=" + std::to_string(steps)});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_THAT(outcome.out, Not(HasSubstr("nothing to train")));
  }
  EXPECT_EQ(LastRecord("parts")["step"], stop);
  EXPECT_EQ(LastRecord("parts")["stopped_early"], true);
  EXPECT_EQ(ReadTextFile(dir_ / "parts/model.safetensors"), ReadTextFile(dir_ / "whole/model.safetensors"));
}

TEST_F(EndingAppTest, WhatWasNotSavedIsSaid) {
  const Outcome outcome = Train("run", {"checkpoint.save_best=false"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("best evaluation: loss "));
  EXPECT_FALSE(fs::exists(dir_ / "run/checkpoints/best"));
  EXPECT_THAT(Train("x", {"checkpoint.save_best=false", "checkpoint.final=BEST"}),
              FailsWith(2, HasSubstr("expected LAST where checkpoint.save_best is false")));
  EXPECT_FALSE(fs::exists(dir_ / "x"));
}

TEST_F(EndingAppTest, TheReportTellsOfAnEarlyStopAndOfTheModelsStep) {
  ASSERT_EQ(Train("early", {"training.stop_after_evaluations_without_gain=3", "checkpoint.final=BEST"}).code, 0);
  const std::string best = std::to_string(LastRecord("early")["model_step"].get<int64_t>());
  ASSERT_EQ(Run({"report", Path("early"), "--out", Path("r.html")}).code, 0);
  EXPECT_THAT(ReadTextFile(dir_ / "r.html"),
              AllOf(HasSubstr("finished early, for want of gain<small>model of step " + best + "</small>"),
                    HasSubstr("1 finished run"), Not(HasSubstr("left out"))));
}

}  // namespace
}  // namespace twofour::train
