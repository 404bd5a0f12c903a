#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "twofour/core/io/safetensors.h"
#include "twofour/core/ops/layout.h"

#include "tests/support/text_file.h"
#include "tests/train/program/cli/config_runner.h"
#include "tests/train/program/cli/run_records.h"

namespace twofour::train {
namespace {

using test::ConfigRunner;
using test::FailsWith;
using test::Outcome;
using test::ReadTextFile;
using test::RecordsWithoutTime;
using test::WriteTextFile;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kConfig = R"(
model { residual_mlp { width: 16 hidden_features: 32 num_blocks: 1 zero_init_projection: false } }
data { glyphs { train_size: 64 eval_size: 32 } }
training { steps: 9 batch_size: 16 }
learning_rate { lr: 0.03 }
sparsity { enabled: true freeze { step: 2 } }
evaluation { every_steps: 3 }
checkpoint { every_steps: 0 }
logging { every_steps: 1000 tensorboard: false }
)";

/// Runs that start from another run's weights, with or without its masks. The other run froze its masks early, so they
/// are not what a search would find for its final weights.
class InitialMasksAppTest : public ConfigRunner {
 protected:
  InitialMasksAppTest() : ConfigRunner(kConfig, "a.pbtxt") {}

  /// Trains with these fields set.
  Outcome Train(const std::string& name, const std::vector<std::string>& settings = {}) {
    return ConfigRunner::Train(name, Set(settings));
  }

  /// The same, from the weights and masks of `run`.
  Outcome TrainFrom(const std::string& run, const std::string& name, std::vector<std::string> assignments = {}) {
    assignments.push_back("initial_weights=" + Path(run + "/model.safetensors"));
    assignments.push_back("initial_masks=true");
    return Train(name, assignments);
  }

  std::vector<nlohmann::json> Evaluations(const std::string& run) { return RecordsWithoutTime(dir_ / run, "eval"); }

  SafetensorsFile Model(const std::string& run) {
    return LoadSafetensors(FileSystem::Default(), dir_ / run / "model.safetensors");
  }

  /// Checks that a run begins, to the bit, where the other one ended.
  void ExpectBeginsAt(const std::string& run, const std::string& other) {
    nlohmann::json first = Evaluations(run).front(), last = Evaluations(other).back();
    EXPECT_EQ(first["step"], 0);
    first.erase("step");
    last.erase("step");
    EXPECT_EQ(first, last);
  }
};

TEST_F(InitialMasksAppTest, TheFirstEvaluationIsTheLastOneOfTheOtherRun) {
  ASSERT_EQ(Train("old").code, 0);
  const Outcome outcome = TrainFrom("old", "new", {"sparsity.freeze.step=0"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("initial_masks: those of 2 linears (blocks.0.mlp.c_fc, blocks.0.mlp.c_proj) in " +
                                     Path("old/model.safetensors\n")));
  ExpectBeginsAt("new", "old");
  for (const char* mask : {"blocks.0.mlp.c_fc.weight_mask", "blocks.0.mlp.c_proj.weight_mask"}) {
    EXPECT_EQ(Model("new").Find(mask)->ToVector(), Model("old").Find(mask)->ToVector()) << mask;
  }
}

TEST_F(InitialMasksAppTest, OtherThreadsAndOtherRecipesBeginThereAsWell) {
  for (const std::string recipe :
       {"sparsity={algorithm: ROWS soft_threshold: true}", "sparsity={algorithm: ROWS rows{keep: 4 of: 8}}",
        "sparsity={algorithm: GREEDY interval: 5}", "sparsity={schedule{from: 0.5 to: 0.5}}",
        "sparsity={stages{begin{step: 0} keep: 3}}", "sparsity={fused_mlp: false}"}) {
    const std::vector<std::string> assignments{recipe, "sparsity.enabled=true"};
    FileSystem::Default().RemoveAll(dir_ / "old");
    FileSystem::Default().RemoveAll(dir_ / "new");
    ASSERT_EQ(Train("old", assignments).code, 0);
    std::vector<std::string> more = assignments;
    more.push_back("threads=1");
    const Outcome outcome = TrainFrom("old", "new", more);
    ASSERT_EQ(outcome.code, 0) << recipe << ": " << outcome.err;
    ExpectBeginsAt("new", "old");
  }
}

TEST_F(InitialMasksAppTest, TheBestModelsMasksAreThoseOfTheBestEvaluation) {
  ASSERT_EQ(
      Train("old", {"checkpoint.final=BEST", "training.steps=8", "evaluation.every_steps=1", "learning_rate.lr=0.3"})
          .code,
      0);
  const int64_t best = std::stoll(Model("old").metadata.at("step"));
  ASSERT_LT(best, 8);
  ASSERT_EQ(TrainFrom("old", "new").code, 0);
  EXPECT_EQ(Evaluations("new").front()["loss"], Evaluations("old").at(static_cast<size_t>(best - 1))["loss"]);
}

TEST_F(InitialMasksAppTest, StayInForceUntilTheNextSearch) {
  ASSERT_EQ(Train("old").code, 0);
  const auto masks_after = [&](int steps) {
    const std::string name = "after" + std::to_string(steps);
    EXPECT_EQ(TrainFrom("old", name,
                        {"training.steps=" + std::to_string(steps), "sparsity={enabled: true interval: 4}",
                         "evaluation.every_steps=100"})
                  .code,
              0);
    return Model(name).Find("blocks.0.mlp.c_fc.weight_mask")->ToVector();
  };
  const std::vector<float> old = Model("old").Find("blocks.0.mlp.c_fc.weight_mask")->ToVector();
  EXPECT_EQ(masks_after(1), old);
  EXPECT_EQ(masks_after(3), old);
  EXPECT_NE(masks_after(4), old);
}

TEST_F(InitialMasksAppTest, AResumeWithoutACheckpointBeginsWithThemAgain) {
  ASSERT_EQ(Train("old").code, 0);
  ASSERT_EQ(TrainFrom("old", "whole").code, 0);
  ASSERT_EQ(TrainFrom("old", "part").code, 0);
  FileSystem::Default().RemoveAll(dir_ / "part/checkpoints");
  FileSystem::Default().RemoveAll(dir_ / "part/model.safetensors");
  const Outcome outcome = Run({"--resume", Path("part")});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(ReadTextFile(dir_ / "part/model.safetensors"), ReadTextFile(dir_ / "whole/model.safetensors"));
  EXPECT_EQ(Evaluations("part"), Evaluations("whole"));
}

TEST_F(InitialMasksAppTest, MasksThatAreNotTakenOverAreSaidToBeDropped) {
  ASSERT_EQ(Train("old").code, 0);
  const std::string weights = "initial_weights=" + Path("old/model.safetensors");
  const Outcome sparse = Train("sparse", {weights});
  ASSERT_EQ(sparse.code, 0) << sparse.err;
  EXPECT_THAT(sparse.out,
              HasSubstr("initial_weights: the masks of 2 linears (blocks.0.mlp.c_fc, blocks.0.mlp.c_proj) in " +
                        Path("old/model.safetensors") + " are not taken over: new ones are found, which may differ"));
  EXPECT_EQ(Evaluations("sparse").front()["step"], 3);
  const Outcome dense = Train("dense", {weights, "sparsity={}", "sparsity.enabled=false"});
  ASSERT_EQ(dense.code, 0) << dense.err;
  EXPECT_THAT(dense.out, HasSubstr("are not taken over: this run begins with all of the weights"));
  EXPECT_THAT(Train("again", {"initial_weights=" + Path("dense/model.safetensors")}).out, Not(HasSubstr("not taken")));
  // finetune refuses initial_masks, so that the line must not advise it.
  WriteTextFile(dir_ / "lora.pbtxt", R"(
    data { glyphs { train_size: 64 eval_size: 32 } }
    training { steps: 4 batch_size: 16 }
    logging { tensorboard: false }
  )");
  const Outcome adapted =
      Run({"finetune", "--from", Path("old"), "--config", Path("lora.pbtxt"), "--out", Path("adapted")});
  ASSERT_EQ(adapted.code, 0) << adapted.err;
  EXPECT_THAT(adapted.out, HasSubstr("are not taken over: finetune finds masks of its own, which may differ\n"));
}

TEST_F(InitialMasksAppTest, WhatCannotBeTakenOverIsAnErrorBeforeAnythingIsWritten) {
  ASSERT_EQ(Train("old").code, 0);
  ASSERT_EQ(Train("pruned", {"checkpoint.save_pruned=true"}).code, 0);
  ASSERT_EQ(Train("rows", {"sparsity={enabled: true algorithm: ROWS}"}).code, 0);
  ASSERT_EQ(Train("part", {"sparsity.exclude=.*c_proj"}).code, 0);
  EXPECT_THAT(Train("x", {"initial_masks=true"}), FailsWith(2, HasSubstr("expected false without initial_weights")));
  EXPECT_THAT(TrainFrom("pruned", "x"),
              FailsWith(2, AllOf(HasSubstr("config: initial_masks: "),
                                 HasSubstr("pruned/model.safetensors: holds no masks, expected"))));
  EXPECT_THAT(TrainFrom("old", "x", {"sparsity={}", "sparsity.enabled=false"}),
              FailsWith(2, HasSubstr("initial_masks: true, expected false for a dense run")));
  EXPECT_THAT(TrainFrom("rows", "x"),
              FailsWith(2, AllOf(HasSubstr("tensor 'blocks.0.mlp.c_fc.weight_mask': tile ["),
                                 HasSubstr("tensor 'blocks.0.mlp.c_proj.weight_mask': tile ["))));
  EXPECT_THAT(TrainFrom("old", "x", {"sparsity={enabled: true algorithm: ROWS rows{keep: 1 of: 4}}"}),
              FailsWith(2, HasSubstr("keeps 2 of 4 along a row, the plan 1")));
  EXPECT_THAT(TrainFrom("old", "x", {"sparsity={enabled: true dense_warmup: 0.5}"}),
              FailsWith(2, HasSubstr("at which the plan prunes nothing")));
  EXPECT_THAT(TrainFrom("rows", "x", {"sparsity={enabled: true algorithm: ROWS soft_threshold: true}"}),
              FailsWith(2, HasSubstr("no weight_mask_scale, expected a run with sparsity.soft_threshold")));
  EXPECT_THAT(TrainFrom("part", "x"),
              FailsWith(2, HasSubstr("'blocks.0.mlp.c_proj.weight_mask': no mask in the file")));
  EXPECT_THAT(TrainFrom("old", "x", {"sparsity.exclude=.*c_proj"}),
              FailsWith(2, HasSubstr("'blocks.0.mlp.c_proj.weight_mask': the linear is dense here")));
  EXPECT_FALSE(FileSystem::Default().Exists(dir_ / "x"));
}

TEST_F(InitialMasksAppTest, AMaskOfAnotherShapeIsAnError) {
  ASSERT_EQ(Train("old").code, 0);
  std::vector<NamedTensor> tensors = Model("old").tensors;
  for (NamedTensor& named : tensors) {
    if (named.name.ends_with("c_fc.weight_mask")) named.tensor = Reshape(named.tensor, {16, 32});
  }
  SaveSafetensors(FileSystem::Default(), dir_ / "old/model.safetensors", tensors, {});
  EXPECT_THAT(TrainFrom("old", "x"), FailsWith(2, HasSubstr("weight_mask': shape [16, 32], expected [32, 16]")));
}

TEST_F(InitialMasksAppTest, MasksThatOthersSavedAsNumbersAreNeitherTakenNorDroppedInSilence) {
  ASSERT_EQ(Train("old").code, 0);
  std::string file = ReadTextFile(dir_ / "old/model.safetensors");
  for (size_t at; (at = file.find("\"BOOL\"")) != std::string::npos;) file.replace(at, 6, "\"U8\"  ");
  WriteTextFile(dir_ / "old/model.safetensors", file);
  EXPECT_THAT(TrainFrom("old", "x"),
              FailsWith(2, AllOf(HasSubstr("'blocks.0.mlp.c_fc.weight_mask': dtype U8 [32, 16], expected BOOL"),
                                 HasSubstr("'blocks.0.mlp.c_proj.weight_mask': dtype U8 [16, 32], expected BOOL"))));
  const Outcome outcome = Train("new", {"initial_weights=" + Path("old/model.safetensors")});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("the masks of 2 linears (blocks.0.mlp.c_fc, blocks.0.mlp.c_proj) in "));
}

TEST_F(InitialMasksAppTest, SuggestDecaySaysThatTrialsFindTheirOwn) {
  ASSERT_EQ(Train("old").code, 0);
  const Outcome outcome =
      Run({"suggest-decay", "--config", Path("a.pbtxt"), "--steps", "9", "--lambda", "1e-3", "--set",
           "initial_weights=" + Path("old/model.safetensors"), "--set", "initial_masks=true"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("masks in " + Path("old/model.safetensors") + " are not taken over"));
}

}  // namespace
}  // namespace twofour::train
