// `trainer finetune`: adapters in three stages, and what it leaves behind.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "twofour/core/io/file_system.h"
#include "twofour/core/io/safetensors.h"
#include "twofour/core/ops.h"
#include "twofour/sparse/mask.h"
#include "twofour/sparse/vnm_pattern.h"

#include "tests/support/tensors.h"
#include "tests/support/text_file.h"
#include "tests/train/program/cli/config_runner.h"
#include "tests/train/program/cli/run_records.h"

namespace twofour::train {
namespace {

using nlohmann::json;
using test::ConfigRunner;
using test::ExpectBitEqual;
using test::ExpectClose;
using test::FailsWith;
using test::Outcome;
using test::ReadTextFile;
using test::RecordsOf;
using test::WriteTextFile;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr const char* kDense = R"(
model { residual_mlp { width: 32 hidden_features: 64 num_blocks: 1 } }
data { glyphs { train_size: 128 eval_size: 32 } }
training { steps: 4 batch_size: 64 }
evaluation { every_steps: 4 }
logging { every_steps: 0 }
)";

// Stage 1 is steps 0 to 3; masks are found for steps 4, 7, 10 and 12; stage 3 is steps 12 to 19.
constexpr const char* kFinetune = R"(
data { glyphs { train_size: 128 eval_size: 32 } }
training { steps: 20 batch_size: 32 }
learning_rate { lr: 0.01 }
evaluation { every_steps: 2 }
checkpoint { every_steps: 1 keep: 100 }
logging { every_steps: 1 tensorboard: false }
sparsity { algorithm: VNM vnm { v: 16 m: 8 } }
finetune { rank: 4 alpha: 8 dense_share: 0.2 search_share: 0.4 interval: 3 }
)";

const std::vector<std::string> kLinears = {"blocks.0.mlp.c_fc", "blocks.0.mlp.c_proj"};

class FinetuneAppTest : public ConfigRunner {
 protected:
  FinetuneAppTest() : ConfigRunner(kDense, "dense.pbtxt") {
    WriteTextFile(dir_ / "lora.pbtxt", kFinetune);
    EXPECT_EQ(Train("dense").code, 0);
  }

  Outcome Finetune(const std::string& name, const std::vector<std::string>& more = {}) {
    return Run(
        Joined({"finetune", "--from", Path("dense"), "--config", Path("lora.pbtxt"), "--out", Path(name)}, more));
  }

  SafetensorsFile File(const std::string& path) { return LoadSafetensors(FileSystem::Default(), dir_ / path); }
};

TEST_F(FinetuneAppTest, TrainsAdaptersInThreeStages) {
  const Outcome outcome = Finetune("run");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(
      outcome.out,
      AllOf(HasSubstr("LoRA of rank 4, alpha 8: 2 linears adapted, 768 parameters trained"),
            HasSubstr("stage 1, without masks: to step 4; 2, masks found every 3 steps: to 12; 3, masks fixed: to 20"),
            HasSubstr("16:2:8 sparsity enabled from step 4")));
  const std::vector<json> evaluations = RecordsOf(dir_ / "run", "eval");
  ASSERT_EQ(evaluations.size(), 10u);
  EXPECT_EQ(evaluations[5]["step"], 12);
  EXPECT_LT(evaluations.back()["loss"], evaluations[5]["loss"]);  // The adapters learn under fixed masks.
  // Nothing but the adapters has state.
  for (const NamedTensor& named : File("run/checkpoints/last/optimizer.safetensors").tensors) {
    EXPECT_TRUE(named.name.find("lora_") != std::string::npos || named.tensor.numel() == 1) << named.name;
  }
  const SafetensorsFile model = File("run/model.safetensors"), dense = File("dense/model.safetensors");
  for (const char* const frozen : {"input.weight", "input.bias", "head.weight", "blocks.0.mlp.c_fc.bias"}) {
    ExpectBitEqual(*model.Find(frozen), *dense.Find(frozen));
  }
  EXPECT_EQ(model.Find("blocks.0.mlp.c_fc.lora_A.weight"), nullptr);
}

TEST_F(FinetuneAppTest, MasksChangeOnlyWhereTheStagesSay) {
  ASSERT_EQ(Finetune("run").code, 0);
  for (int step = 2; step <= 20; ++step) {
    SCOPED_TRACE(step);
    const auto of = [&](int which) {
      return File("run/checkpoints/step-" + std::to_string(which) + "/model.safetensors");
    };
    const SafetensorsFile before = of(step - 1), now = of(step);
    bool same_masks = true, same_weights = true, no_adapter = true;
    for (const std::string& linear : kLinears) {
      const auto equal = [&](const std::string& name) {
        const Tensor &a = *before.Find(linear + name), &b = *now.Find(linear + name);
        return a.To(DType::kF32).ToVector() == b.To(DType::kF32).ToVector();
      };
      same_masks = same_masks && equal(".weight_mask");
      same_weights = same_weights && equal(".weight");
      for (const float value : now.Find(linear + ".lora_B.weight")->ToVector()) no_adapter = no_adapter && value == 0;
      const sparse::Mask mask = sparse::Mask::FromTensor(*now.Find(linear + ".weight_mask"));
      EXPECT_EQ(mask.CountKept(), step < 4 ? 32 * 64 : 32 * 64 / 4);
    }
    const bool search = step == 4 || step == 7 || step == 10 || step == 12;
    EXPECT_EQ(same_weights, !search);
    EXPECT_EQ(no_adapter, search);
    EXPECT_TRUE(same_masks || search);
  }
}

TEST_F(FinetuneAppTest, TheFinalModelIsItsAdapterOnItsBase) {
  ASSERT_EQ(Finetune("run").code, 0);
  const SafetensorsFile model = File("run/model.safetensors"), base = File("run/base.safetensors");
  const SafetensorsFile adapter = File("run/adapter.safetensors");
  ASSERT_EQ(adapter.tensors.size(), 4u);
  const sparse::VnmPattern pattern{.v = 16, .m = 8};
  for (const std::string& linear : kLinears) {
    const Tensor a = *adapter.Find("base_model.model." + linear + ".lora_A.weight");
    const Tensor b = *adapter.Find("base_model.model." + linear + ".lora_B.weight");
    const Tensor kept = *model.Find(linear + ".weight_mask"), weight = *model.Find(linear + ".weight");
    EXPECT_EQ(a.dim(0), 4);
    const Tensor sum = Add(*base.Find(linear + ".weight"), Scale(MatMul(b, a), 2));
    ExpectClose(weight, Mul(sum, kept.To(DType::kF32)));
    EXPECT_EQ(sparse::FindVnmViolation(sparse::Mask::FromTensor(kept).view(), pattern), std::nullopt);
    for (int64_t i = 0; i < weight.numel(); ++i) ASSERT_TRUE(kept.data<bool>()[i] || weight.data<float>()[i] == 0);
    ExpectBitEqual(*base.Find(linear + ".weight_mask"), kept);
  }
  const json config = json::parse(ReadTextFile(dir_ / "run/adapter_config.json"));
  EXPECT_EQ(config["peft_type"], "LORA");
  EXPECT_EQ(config["r"], 4);
  EXPECT_EQ(config["lora_alpha"], 8);
  EXPECT_EQ(config["target_modules"], kLinears);
}

// From before and after each border, and within each stage.
TEST_F(FinetuneAppTest, AResumeInEachStageHasTheSameBits) {
  for (const std::string precision : {"FP32", "BF16"}) {
    const std::string whole = "whole" + precision;
    ASSERT_EQ(Finetune(whole, {"--set", "training.precision=" + precision}).code, 0);
    const std::vector<std::string> steps = precision == "FP32"
                                               ? std::vector<std::string>{"2", "4", "6", "9", "12", "15"}
                                               : std::vector<std::string>{"2", "6", "15"};
    for (const std::string& step : steps) {
      SCOPED_TRACE(precision + " from step " + step);
      const std::string part = "part" + precision + step;
      const Outcome outcome = Run({"--resume", Path(whole + "/checkpoints/step-" + step), "--out", Path(part)});
      ASSERT_EQ(outcome.code, 0) << outcome.err;
      for (const char* const file :
           {"model.safetensors", "adapter.safetensors", "base.safetensors", "adapter_config.json",
            "checkpoints/last/model.safetensors", "checkpoints/last/optimizer.safetensors"}) {
        EXPECT_EQ(ReadTextFile(dir_ / whole / file), ReadTextFile(dir_ / part / file)) << file;
      }
    }
  }
}

TEST_F(FinetuneAppTest, AnEvaluationOfEachStageGivesWhatTrainingMeasured) {
  ASSERT_EQ(Finetune("run").code, 0);
  int compared = 0;
  for (const json& record : RecordsOf(dir_ / "run", "eval")) {
    const int step = record["step"];
    SCOPED_TRACE(step);
    const Outcome outcome = Run({"evaluate", "--run", Path("run"), "--checkpoint", std::to_string(step), "--json"});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(json::parse(outcome.out)["loss"], record["loss"]);
    ++compared;
  }
  EXPECT_EQ(compared, 10);
  const Outcome final = Run({"evaluate", "--run", Path("run"), "--json"});
  ASSERT_EQ(final.code, 0) << final.err;
  EXPECT_EQ(json::parse(final.out)["loss"], RecordsOf(dir_ / "run", "eval").back()["loss"]);
}

TEST_F(FinetuneAppTest, AnAdapterIsMergedOnRequest) {
  ASSERT_EQ(Finetune("run").code, 0);
  const auto export_as = [&](const std::string& name, const std::vector<std::string>& more) {
    return Run(Joined({"export", "-o", Path(name)}, more));
  };
  ASSERT_EQ(export_as("final", {"--run", Path("run")}).code, 0);
  const Outcome merged =
      export_as("merged", {"--run", Path("run"), "--merge-adapter", Path("run/adapter.safetensors")});
  ASSERT_EQ(merged.code, 0) << merged.err;
  const SafetensorsFile expected = File("final"), found = File("merged");
  ASSERT_EQ(found.tensors.size(), expected.tensors.size());
  for (const NamedTensor& named : expected.tensors) ExpectBitEqual(*found.Find(named.name), named.tensor);
  EXPECT_THAT(
      export_as("x",
                {"--run", Path("run"), "--checkpoint", "best", "--merge-adapter", Path("run/adapter.safetensors")}),
      FailsWith(2,
                HasSubstr("is a checkpoint, expected the run's folder: an adapter is added to its base.safetensors")));
  // On dense weights it is a plain LoRA.
  ASSERT_EQ(
      export_as("dense_merged", {"--run", Path("dense"), "--merge-adapter", Path("run/adapter.safetensors")}).code, 0);
  const SafetensorsFile adapter = File("run/adapter.safetensors");
  const std::string linear = "blocks.0.mlp.c_fc";
  const Tensor product = MatMul(*adapter.Find("base_model.model." + linear + ".lora_B.weight"),
                                *adapter.Find("base_model.model." + linear + ".lora_A.weight"));
  ExpectClose(*File("dense_merged").Find(linear + ".weight"),
              Add(*File("dense/model.safetensors").Find(linear + ".weight"), Scale(product, 2)));
}

TEST_F(FinetuneAppTest, ARunThatGoesOnMakesItsAdapterAnew) {
  ASSERT_EQ(Finetune("run").code, 0);
  const std::string adapter = ReadTextFile(dir_ / "run/adapter.safetensors");
  const Outcome outcome = Run({"--resume", Path("run"), "--set", "training.steps=22"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(ReadTextFile(dir_ / "run/adapter.safetensors"), adapter);
  EXPECT_THAT(Run({"--resume", Path("run"), "--set", "training.steps=24", "--set", "finetune.alpha=4"}),
              FailsWith(2, HasSubstr("finetune.alpha: 8 -> 4: a run keeps its adapters")));
}

TEST_F(FinetuneAppTest, EveryPatternOfMasks) {
  for (const std::string sparsity : {"algorithm=EXACT", "algorithm=GREEDY", "algorithm=ROWS", "vnm.inner=ROWS"}) {
    SCOPED_TRACE(sparsity);
    const Outcome outcome =
        Finetune("run", Joined({"--overwrite"}, Set({"sparsity." + sparsity, "sparsity.vnm.v=64"})));
    EXPECT_EQ(outcome.code, 0) << outcome.err;
  }
}

}  // namespace
}  // namespace twofour::train
