// What `trainer finetune` and `trainer export --merge-adapter` refuse: one line, exit 2, nothing written.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "twofour/core/io/file_system.h"
#include "twofour/core/io/safetensors.h"

#include "tests/support/tensors.h"
#include "tests/support/text_file.h"
#include "tests/train/program/cli/config_runner.h"

namespace twofour::train {
namespace {

using test::ConfigRunner;
using test::FailsWith;
using test::Outcome;
using test::RandomF32;
using test::WriteTextFile;
using ::testing::HasSubstr;

constexpr const char* kConfig = R"(
model { residual_mlp { width: 16 hidden_features: 32 num_blocks: 1 } }
data { glyphs { train_size: 64 eval_size: 32 } }
training { steps: 10 batch_size: 32 }
evaluation { every_steps: 0 }
logging { every_steps: 0 tensorboard: false }
)";
constexpr const char* kAdapterConfig = R"({"peft_type": "LORA", "r": 2, "lora_alpha": 4})";

class FinetuneErrorsAppTest : public ConfigRunner {
 protected:
  FinetuneErrorsAppTest() : ConfigRunner(kConfig, "dense.pbtxt") { EXPECT_EQ(Train("dense").code, 0); }

  /// Expects a refusal in one line that leaves no run.
  void Expect(const std::vector<std::string>& more, const std::string& message) {
    SCOPED_TRACE(message);
    const Outcome outcome =
        Run(Joined({"finetune", "--from", Path("dense"), "--config", Path("dense.pbtxt"), "--out", Path("x")}, more));
    EXPECT_THAT(outcome, FailsWith(2, HasSubstr(message)));
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
    EXPECT_FALSE(std::filesystem::exists(dir_ / "x"));
  }

  /// The same for an export with an adapter of these tensors.
  void ExpectNoMerge(const std::vector<NamedTensor>& tensors, const std::string& message,
                     const std::string& config = kAdapterConfig) {
    SCOPED_TRACE(message);
    std::filesystem::create_directories(dir_ / "a");
    SaveSafetensors(FileSystem::Default(), dir_ / "a/adapter.safetensors", tensors);
    WriteTextFile(dir_ / "a/adapter_config.json", config);
    const Outcome outcome =
        Run({"export", "--run", Path("dense"), "--merge-adapter", Path("a/adapter.safetensors"), "-o", Path("x")});
    EXPECT_THAT(outcome, FailsWith(2, HasSubstr(message)));
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
    EXPECT_FALSE(std::filesystem::exists(dir_ / "x"));
  }
};

TEST_F(FinetuneErrorsAppTest, WhatIsNoRunOfThisModel) {
  Expect({"--set", "model.residual_mlp.num_blocks=2"},
         "model.residual_mlp.num_blocks: 1 -> 2: a run keeps its model; leave `model` out of the config");
  Expect({"--set", "model.residual_mlp.width=32"}, "model.residual_mlp.width: 16 -> 32");
  EXPECT_THAT(Run({"finetune", "--from", Path("none"), "--config", Path("dense.pbtxt")}),
              FailsWith(2, HasSubstr("--from")));
  EXPECT_THAT(Run({"finetune", "--from", Path("dense")}), FailsWith(2, HasSubstr("--config is required")));
  std::filesystem::remove(dir_ / "dense/model.safetensors");
  Expect({}, "the run is not finished, expected one with model.safetensors");
}

TEST_F(FinetuneErrorsAppTest, ValuesOutOfBounds) {
  Expect({"--set", "finetune.rank=17"},
         "finetune: rank: 17, expected at most 16, the smaller side of blocks.0.mlp.c_fc [32, 16]");
  for (const std::string score : {"GRADIENT", "GBLM"}) {
    Expect({"--set", "sparsity.score=" + score},
           "config: sparsity.score: " + score +
               ", expected a score that needs no gradients beside finetune: the weights are frozen");
  }
  Expect({"--set", "finetune.rank=0"}, "config: finetune.rank: 0, expected");
  Expect({"--set", "finetune.alpha=-1"}, "config: finetune.alpha: -1, expected");
  Expect({"--set", "finetune.dense_share=1.5"}, "config: finetune.dense_share: 1.5, expected a number in [0, 1)");
  Expect({"--set", "finetune.dense_share=0.6", "--set", "finetune.search_share=0.5"},
         "config: finetune.search_share: 0.5, expected less than 1 - dense_share, which is 0.4: the rest is stage 3");
  Expect({"--set", "finetune.interval=0"}, "config: finetune.interval: 0, expected");
  Expect({"--set", "finetune.include=("}, "config: finetune.include: ");
  Expect({"--set", "finetune.include=nothing"},
         "finetune: no pruned linear gets an adapter: blocks.0.mlp.c_fc: name does not match include 'nothing'");
}

TEST_F(FinetuneErrorsAppTest, WhatDoesNotGoTogether) {
  Expect({"--set", "sparsity.enabled=false"}, "config: sparsity.enabled: false, expected true beside finetune");
  Expect({"--set", "sparsity.interval=5"},
         "config: sparsity.interval: 5, expected 1 beside finetune, whose stages take its place");
  Expect({"--set", "sparsity.freeze.step=0"}, "config: sparsity.freeze: given, expected none beside finetune");
  Expect({"--set", "initial_weights="}, "config: initial_weights: none, expected a file of weights to adapt");
  EXPECT_THAT(Run({"suggest-decay", "--config", Path("dense.pbtxt"), "--set", "finetune.rank=2"}),
              FailsWith(2, HasSubstr("config: finetune: given, expected none")));
}

TEST_F(FinetuneErrorsAppTest, AdaptersThatDoNotFit) {
  const std::string name = "base_model.model.blocks.0.mlp.c_fc.lora_";
  const Tensor a = RandomF32({2, 16}, {.seed = 1}), b = RandomF32({32, 2}, {.seed = 2});
  ExpectNoMerge({{name + "A.weight", a}}, "tensor 'blocks.0.mlp.c_fc.lora_B.weight': missing");
  ExpectNoMerge({{"base_model.model.blocks.7.mlp.c_fc.lora_A.weight", a},
                 {"base_model.model.blocks.7.mlp.c_fc.lora_B.weight", b}},
                "'blocks.7.mlp.c_fc.weight': the model has no such weight");
  ExpectNoMerge({{name + "A.weight", RandomF32({2, 15}, {.seed = 1})}, {name + "B.weight", b}},
                "is for 'blocks.0.mlp.c_fc.weight' of shape [32, 15], but the model's is f32 [32, 16]");
  ExpectNoMerge({{name + "A.weight", RandomF32({3, 16}, {.seed = 1})}, {name + "B.weight", b}},
                "the factors of 'blocks.0.mlp.c_fc' are [3, 16] and [32, 2], expected rank 2");
  ExpectNoMerge({{name + "A.weight", a}, {name + "B.weight", b}, {"other", a}}, "tensor 'other': expected base_model");
  ExpectNoMerge({{name + "A.weight", a}, {name + "B.weight", Tensor::Full({32, 2}, NAN)}},
                "adapter.safetensors: tensor 'blocks.0.mlp.c_fc.lora_B.weight' holds nan at element 0");
  const std::vector<NamedTensor> good = {{name + "A.weight", a}, {name + "B.weight", b}};
  ExpectNoMerge(good, "r: 0, expected the rank", R"({"peft_type": "LORA", "r": 0, "lora_alpha": 4})");
  ExpectNoMerge(good, "expected rank 3", R"({"peft_type": "LORA", "r": 3, "lora_alpha": 4})");
  ExpectNoMerge(good, "adapter_config.json", "{");
  ExpectNoMerge(good, "adapter_config.json: field 'use_dora': true, expected none",
                R"({"peft_type": "LORA", "r": 2, "lora_alpha": 4, "use_dora": true})");
  ExpectNoMerge(good, "adapter_config.json: init_lora_weights: \"pissa\", expected true",
                R"({"peft_type": "LORA", "r": 2, "lora_alpha": 4, "init_lora_weights": "pissa"})");
  ExpectNoMerge(good, "adapter.safetensors: has no factors for 'blocks.0.mlp.c_proj', which its config names",
                R"({"peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": ["c_fc", "mlp.c_proj"]})");
  EXPECT_THAT(
      Run({"export", "--run", Path("dense"), "--merge-adapter", Path("none/adapter.safetensors"), "-o", Path("x")}),
      FailsWith(2, HasSubstr("none/adapter.safetensors")));
}

}  // namespace
}  // namespace twofour::train
