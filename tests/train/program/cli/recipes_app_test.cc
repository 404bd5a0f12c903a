#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "twofour/core/io/file_system.h"
#include "twofour/core/io/safetensors.h"

#include "tests/support/text_file.h"
#include "tests/train/program/cli/config_runner.h"

namespace twofour::train {
namespace {

using test::ConfigRunner;
using test::FailsWith;
using test::Outcome;
using test::ReadTextFile;
using test::WriteTextFile;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kConfig = R"(
model { residual_mlp { width: 16 hidden_features: 32 num_blocks: 1 zero_init_projection: false } }
data { glyphs { train_size: 64 eval_size: 32 } }
training { steps: 8 batch_size: 16 }
optimizer { sgd {} }
learning_rate { lr: 0.01 }
evaluation { every_steps: 8 }
checkpoint { every_steps: 3 }
logging { every_steps: 1 }
)";

/// The commands around recipes: retrain, suggest-decay, and weights to start from.
class RecipesAppTest : public ConfigRunner {
 protected:
  RecipesAppTest() : ConfigRunner(kConfig, "dense.pbtxt") {}

  std::map<std::string, Tensor> Model(const std::string& run) {
    std::map<std::string, Tensor> tensors;
    for (const NamedTensor& named : LoadSafetensors(FileSystem::Default(), Path(run + "/model.safetensors")).tensors) {
      tensors[named.name] = named.tensor;
    }
    return tensors;
  }
};

TEST_F(RecipesAppTest, RetrainKeepsTheMasksOfTheDenseWeights) {
  ASSERT_EQ(Train("dense").code, 0);
  const Outcome outcome = Run({"retrain", "--from", Path("dense"), "--out", Path("again")});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("exact masks, found once; frozen gradients"));
  const auto before = Model("dense"), after = Model("again");
  const std::string name = "blocks.0.mlp.c_fc.weight";
  const std::vector<float> old_weight = before.at(name).ToVector(), weight = after.at(name).ToVector();
  const bool* kept = after.at(name + "_mask").data<bool>();
  int64_t moved = 0;
  for (size_t i = 0; i < weight.size(); ++i) {
    if (kept[i]) {
      moved += weight[i] != old_weight[i] ? 1 : 0;
    } else {
      EXPECT_EQ(weight[i], old_weight[i]) << "SGD has moved masked weight " << i;
    }
  }
  EXPECT_GT(moved, static_cast<int64_t>(weight.size()) / 4);  // Half is kept.
  // Each tile keeps the half that is best in the *dense run's* weight, so at least half of its magnitude.
  double kept_sum = 0, all_sum = 0;
  for (size_t i = 0; i < weight.size(); ++i) {
    all_sum += std::abs(old_weight[i]);
    kept_sum += kept[i] ? std::abs(old_weight[i]) : 0;
  }
  EXPECT_GT(kept_sum / all_sum, 0.6);
  const std::string metrics = ReadTextFile(dir_ / "again/metrics.jsonl");
  EXPECT_THAT(metrics, HasSubstr("\"flip_rate\":0.0,"));
  EXPECT_THAT(metrics, Not(HasSubstr("\"flip_rate\":0.00")));
}

TEST_F(RecipesAppTest, RetrainWantsAFinishedDenseRun) {
  EXPECT_THAT(Run({"retrain"}), FailsWith(2, HasSubstr("--from is required")));
  EXPECT_THAT(Run({"retrain", "--from", Path("none")}), FailsWith(2, HasSubstr("neither a run's folder")));
  ASSERT_EQ(Train("sparse", {"--sparse"}).code, 0);
  EXPECT_THAT(Run({"retrain", "--from", Path("sparse"), "--out", Path("x")}),
              FailsWith(2, HasSubstr("the run is sparse, expected a dense one to prune")));
  ASSERT_EQ(Train("dense").code, 0);
  for (const char* const change : {"sparsity.enabled=false", "sparsity={algorithm: GREEDY}"}) {
    EXPECT_THAT(Run({"retrain", "--from", Path("dense"), "--out", Path("x"), "--set", change}),
                FailsWith(2, HasSubstr("sparsity.enabled: false, expected true for a dense run that is pruned once")));
  }
  EXPECT_THAT(
      Run({"retrain", "--from", Path("dense"), "--out", Path("x"), "--set", "sparsity={enabled: true score: RIA}"}),
      FailsWith(2, HasSubstr("sparsity.freeze: not set, expected a step")));
  FileSystem::Default().RemoveAll(dir_ / "dense/model.safetensors");
  EXPECT_THAT(Run({"retrain", "--from", Path("dense"), "--out", Path("x")}),
              FailsWith(2, HasSubstr("the run is not finished, expected one with model.safetensors")));
  EXPECT_FALSE(FileSystem::Default().Exists(dir_ / "x"));
}

TEST_F(RecipesAppTest, RetrainTakesNothingOfARecipeThatTheDenseRunDidNotFollow) {
  const std::string recipe =
      "sparsity={schedule{shape: LINEAR end{step: 8}} dense_warmup: 0.2 interval: 3 masked_decay{lambda: 1} "
      "dense_finish: 0.1 algorithm: GREEDY}";
  ASSERT_EQ(Train("dense", {"--dense", "--set", recipe}).code, 2);  // The dense finish lies within the schedule.
  ASSERT_EQ(Train("dense", {"--set", "sparsity={algorithm: GREEDY interval: 3 dense_finish: 0.2}"}).code, 0);
  const Outcome outcome = Run({"retrain", "--from", Path("dense"), "--out", Path("again")});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("  greedy masks, found once; frozen gradients\n"));
}

TEST_F(RecipesAppTest, FieldsWithoutAnEffectInAnEarlierVersionsRunAreNoObstacle) {
  ASSERT_EQ(Train("dense").code, 0);
  std::string config = ReadTextFile(dir_ / "dense/config.pbtxt");
  const std::string none = "max_batches: 0";
  config.replace(config.find(none), none.size(), "max_batches: 3");
  WriteTextFile(dir_ / "dense/config.pbtxt", config);
  const std::vector<std::string> retrain = {"retrain", "--from", Path("dense"), "--out", Path("again")};
  const std::vector<std::string> suggest = {"suggest-decay", "--config", Path("dense/config.pbtxt"), "--steps", "4"};
  for (const std::vector<std::string>& command : {retrain, suggest}) {
    // What the user adds is checked.
    EXPECT_THAT(Run(Joined(command, {"--set", "learning_rate.min_lr=0.001"})),
                FailsWith(2, HasSubstr("config: learning_rate.min_lr: 0.001, expected 0 with CONSTANT")));
    const Outcome outcome = Run(command);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
  }
}

TEST_F(RecipesAppTest, FieldsWithoutAnEffectAreAcceptedOnRequest) {
  const std::vector<std::string> set = {"--set", "evaluation.max_batches=3"};
  EXPECT_THAT(Train("new", set), FailsWith(2, HasSubstr("config: evaluation.max_batches: 3, expected 0")));
  EXPECT_EQ(Train("new", Joined(set, {"--accept-idle-fields"})).code, 0);
  EXPECT_THAT(Train("bad", Joined(set, {"--accept-idle-fields", "--set", "training.steps=-1"})),
              FailsWith(2, HasSubstr("config: training.steps: -1")));
}

TEST_F(RecipesAppTest, InitialWeightsAreThoseOfTheOtherRun) {
  ASSERT_EQ(Train("first", {"--sparse"}).code, 0);
  const std::string weights = "initial_weights=" + Path("first/model.safetensors");
  ASSERT_EQ(Train("still", {"--set", weights, "--set", "learning_rate.lr=0"}).code, 0);
  const auto first = Model("first"), still = Model("still");
  for (const auto& [name, tensor] : still) EXPECT_EQ(tensor.ToVector(), first.at(name).ToVector()) << name;
}

TEST_F(RecipesAppTest, InitialWeightsOfAnotherModelAreAnError) {
  ASSERT_EQ(Train("wide", {"--set", "model.residual_mlp.width=32"}).code, 0);
  EXPECT_THAT(Train("x", {"--set", "initial_weights=" + Path("wide/model.safetensors")}),
              FailsWith(2, AllOf(HasSubstr("wide/model.safetensors: tensor 'input.weight'"), HasSubstr("[16, 784]"))));
  EXPECT_THAT(Train("x", {"--set", "initial_weights=" + Path("none")}),
              FailsWith(2, HasSubstr("config: initial_weights: cannot read")));
  EXPECT_FALSE(FileSystem::Default().Exists(dir_ / "x"));
}

TEST_F(RecipesAppTest, SuggestDecayTellsFlipRatesAndWritesNothing) {
  const Outcome outcome = Run({"suggest-decay", "--config", Path("dense.pbtxt"), "--steps", "8", "--lambda", "0,1"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("8 steps each"), HasSubstr("dense "), HasSubstr("lambda 0 "),
                                 HasSubstr("lambda 1 "), HasSubstr("ratio ")));
  int64_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(dir_ / "")) files += entry.exists() ? 1 : 0;
  EXPECT_EQ(files, 1);  // The config.
}

TEST_F(RecipesAppTest, PrunedFilesHoldWhatSoftThresholdsMultiplyWith) {
  const std::vector<std::string> s_ste = {"--sparse", "--set", "sparsity.algorithm=ROWS", "--set",
                                          "sparsity.soft_threshold=true"};
  std::vector<std::string> pruned = s_ste;
  pruned.insert(pruned.end(), {"--set", "checkpoint.save_pruned=true"});
  ASSERT_EQ(Train("masks", s_ste).code, 0);
  ASSERT_EQ(Train("pruned", pruned).code, 0);
  const auto masks = Model("masks"), effective = Model("pruned");
  const std::string name = "blocks.0.mlp.c_proj.weight";
  const std::vector<float> dense = masks.at(name).ToVector(), result = effective.at(name).ToVector();
  const double scale = masks.at(name + "_mask_scale").item();
  for (size_t group = 0; group < dense.size(); group += 4) {
    std::vector<float> magnitudes;
    for (size_t i = group; i < group + 4; ++i) magnitudes.push_back(std::fabs(dense[i]));
    std::sort(magnitudes.begin(), magnitudes.end());
    for (size_t i = group; i < group + 4; ++i) {
      const double left = std::max(std::fabs(dense[i]) - magnitudes[1], 0.0f);
      EXPECT_NEAR(result[i], std::copysign(scale * left, dense[i]), 1e-6);
    }
  }
}

TEST_F(RecipesAppTest, SuggestDecayRefusesWhatItCannotJudge) {
  const auto suggest = [this](const std::string& more, const std::string& value) {
    return Run({"suggest-decay", "--config", Path("dense.pbtxt"), "--steps", "4", more, value});
  };
  EXPECT_THAT(suggest("--lambda", "nan"), FailsWith(2, HasSubstr("--lambda")));
  EXPECT_THAT(suggest("--set", "sparsity.target=ACTIVATION"), FailsWith(2, HasSubstr("expected WEIGHT")));
  // A warm-up would have no mask flips, so the command does without it.
  EXPECT_EQ(suggest("--set", "sparsity.dense_warmup=0.9").code, 0);
}

TEST_F(RecipesAppTest, ADryRunOfAResumeReadsTheMetrics) {
  ASSERT_EQ(Train("run").code, 0);
  WriteTextFile(dir_ / "run/metrics.jsonl", "nonsense\n");
  EXPECT_THAT(Run({"--resume", Path("run"), "--dry-run"}), FailsWith(2, HasSubstr("metrics.jsonl:1: not a metrics")));
}

}  // namespace
}  // namespace twofour::train
