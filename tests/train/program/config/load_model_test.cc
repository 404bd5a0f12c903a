// A language model that was trained by a recipe computes the same after loading from a checkpoint and from both kinds
// of final weights.

#include "twofour/train/program/config/load_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "twofour/core/autograd.h"

#include "tests/support/tensors.h"
#include "tests/support/text_file.h"
#include "tests/train/program/cli/app_runner.h"

namespace twofour::train {
namespace {

using test::AppRunner;
using test::Outcome;
using test::WriteTextFile;

constexpr const char* kConfig = R"(
model { gpt { depth: 1 width: 32 heads: 2 sequence_length: 16 } }
training { steps: 6 batch_size: 4 tokens_per_step: 64 }
learning_rate { lr: 0.05 }
evaluation { every_steps: 6 }
checkpoint { every_steps: 4 }
)";

class LoadModelTest : public AppRunner, public ::testing::WithParamInterface<const char*> {
 protected:
  LoadModelTest() {
    std::string text;
    for (int i = 0; i < 60; ++i) text += "To be, or not to be: that is the question.\n";
    WriteTextFile(dir_ / "text", text);
    WriteTextFile(dir_ / "gpt.pbtxt", kConfig);
  }

  void Train(const std::string& save_pruned) {
    const Outcome outcome =
        Run({"--config", Path("gpt.pbtxt"), "--out", Path("run"), "--overwrite", "--set",
             "data.text.path=" + Path("text"), "--set", std::string("sparsity={ enabled: true ") + GetParam() + " }",
             "--set", "checkpoint.save_pruned=" + save_pruned});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
  }

  Tensor Logits(const std::string& run) {
    const NoGradGuard no_grad;
    const LoadedLanguageModel loaded = LoadLanguageModel(Path(run));
    return loaded.model->Forward(test::I32({1, 5, 3, 8, 2, 0, 4, 7}, {1, 8}));
  }
};

TEST_P(LoadModelTest, ComputesTheSameFromACheckpointAndFromBothKindsOfExport) {
  Train("false");
  std::string config = test::ReadTextFile(dir_ / "run/config.pbtxt");
  const std::string rate = "rate: 5";
  config.replace(config.find(rate), rate.size(), "rate: 7");  // No effect, but earlier versions accepted it.
  WriteTextFile(dir_ / "run/config.pbtxt", config);
  const Tensor from_checkpoint = Logits("run/checkpoints/step-6");
  test::ExpectBitEqual(Logits("run"), from_checkpoint);
  Train("true");
  test::ExpectBitEqual(Logits("run/checkpoints/step-6"), from_checkpoint);
  test::ExpectClose(Logits("run"), from_checkpoint, 1e-4, 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Recipes, LoadModelTest,
                         ::testing::Values("", "algorithm: SIGNED_GREEDY", "dense_finish: 0.5", "dense_warmup: 0.5",
                                           "algorithm: ROWS soft_threshold: true dense_warmup: 0.2",
                                           "schedule { shape: LINEAR end { step: 5 } to: 0.7 order: RANDOM }"));

}  // namespace
}  // namespace twofour::train
