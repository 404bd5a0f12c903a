// Runs whose masks are chosen by other scores than magnitude.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <set>
#include <string>
#include <vector>

#include "twofour/core/io/file_system.h"
#include "twofour/core/io/safetensors.h"
#include "twofour/sparse/scores/mask_score.h"

#include "tests/support/text_file.h"
#include "tests/train/program/cli/config_runner.h"

namespace twofour::train {
namespace {

using sparse::MaskScore;
using test::ConfigRunner;
using test::FailsWith;
using test::Outcome;
using test::ReadTextFile;
using ::testing::HasSubstr;

/// Micro-batches, activations of 16 bits, clipped gradients, and masks that grow sparser.
constexpr const char* kConfig = R"(
model { residual_mlp { width: 32 hidden_features: 64 num_blocks: 1 } }
data { glyphs { train_size: 128 eval_size: 32 } }
training { steps: 8 batch_size: 32 accumulate_steps: 2 precision: BF16 clip_grad_norm: 0.1 }
evaluation { every_steps: 8 }
checkpoint { every_steps: 3 keep: 9 }
logging { every_steps: 1 tensorboard: false }
sparsity {
  enabled: true algorithm: PATTERN pattern: "unstructured:0.75" interval: 2 schedule { shape: CUBIC end { step: 6 } }
}
)";

std::string WordOf(MaskScore score) {
  std::string word(NameOf(score));
  std::ranges::transform(word, word.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return word;
}

class ScoresAppTest : public ConfigRunner {
 protected:
  ScoresAppTest() : ConfigRunner(kConfig, "scores.pbtxt") {}
};

TEST_F(ScoresAppTest, EachTrainsAndResumesWithTheSameBits) {
  std::set<std::string> models;
  for (const MaskScore score : sparse::MaskScores()) {
    const std::string word = WordOf(score);
    SCOPED_TRACE(word);
    const Outcome outcome = Train(word, {"--threads", "1", "--set", "sparsity.score=" + word});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    if (score != MaskScore::kMagnitude) {
      EXPECT_THAT(outcome.out,
                  HasSubstr(" masks by " + std::string(NameOf(score)) + " scores, searched every 2 steps"));
    }
    // At step 3, no search is due.
    const Outcome resumed =
        Run({"--resume", Path(word + "/checkpoints/step-3"), "--out", Path("part" + word), "--threads", "2"});
    ASSERT_EQ(resumed.code, 0) << resumed.err;
    const std::string model = ReadTextFile(dir_ / word / "model.safetensors");
    EXPECT_EQ(ReadTextFile(dir_ / ("part" + word) / "model.safetensors"), model);
    models.insert(model);
  }
  // Half the square of Wanda's score orders single weights as that does.
  EXPECT_EQ(models.size(), sparse::MaskScores().size() - 1);
}

TEST_F(ScoresAppTest, CheckpointsHoldWhatScoresNeedAndModelsDoNot) {
  ASSERT_EQ(Train("run", {"--set", "sparsity.score=GBLM"}).code, 0);
  const auto load = [&](const std::string& path) { return LoadSafetensors(FileSystem::Default(), dir_ / path); };
  const SafetensorsFile checkpoint = load("run/checkpoints/step-3/model.safetensors"),
                        model = load("run/model.safetensors");
  for (const std::string name : {"input_squares", "gradient_squares"}) {
    EXPECT_NE(checkpoint.Find("blocks.0.mlp.c_fc.weight_mask_" + name), nullptr) << name;
    EXPECT_EQ(model.Find("blocks.0.mlp.c_fc.weight_mask_" + name), nullptr) << name;
  }
}

TEST_F(ScoresAppTest, WhatDoesNotFitIsRefused) {
  const auto expect = [&](const std::string& set, const std::string& message) {
    EXPECT_THAT(Train("x", {"--set", set}), FailsWith(2, HasSubstr(message)));
  };
  expect("sparsity={enabled:true algorithm:RANDOM score:GRADIENT}",
         "config: sparsity.score: GRADIENT, expected MAGNITUDE beside RANDOM");
  expect("sparsity={enabled:true algorithm:ROWS soft_threshold:true score:OBS}",
         "config: sparsity.score: OBS, expected MAGNITUDE beside soft_threshold");
  expect("sparsity.score=WANDER", "WANDA");
}

}  // namespace
}  // namespace twofour::train
