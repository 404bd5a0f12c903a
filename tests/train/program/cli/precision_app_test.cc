// The program in both precisions: training, resuming, sampling, and which kernels it names.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "twofour/core/io/safetensors.h"
#include "twofour/core/kernels/gemm/bf16_gemm.h"
#include "twofour/sparse/fused_mlp.h"
#include "twofour/sparse/kernels/fused_mlp/fused_mlp_kernel.h"
#include "twofour/sparse/kernels/linear/forced_kernel.h"
#include "twofour/sparse/kernels/linear/linear_kernel.h"

#include "tests/support/scoped_env.h"
#include "tests/support/text_file.h"
#include "tests/train/program/cli/app_runner.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;
using test::AppRunner;
using test::FailsWith;
using test::Outcome;
using test::ReadTextFile;
using test::ScopedEnv;
using test::WriteTextFile;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr int64_t kBatch = 192;

// Wide enough for the kernels of bf16.
constexpr const char* kMlp = R"(
model { residual_mlp { width: 128 hidden_features: 256 num_blocks: 1 } }
data { glyphs { train_size: 400 eval_size: 64 } }
training { steps: 6 batch_size: 192 }
sparsity { enabled: true }
evaluation { every_steps: 2 batch_size: 192 }
checkpoint { every_steps: 2 keep: 10 }
logging { every_steps: 2 tensorboard: false }
)";

constexpr const char* kGpt = R"(
model { gpt { depth: 1 width: 128 sequence_length: 64 } }
training { steps: 6 batch_size: 3 accumulate_steps: 2 }
optimizer { muon {} }
sparsity { enabled: true }
evaluation { every_steps: 3 }
checkpoint { every_steps: 2 keep: 10 }
logging { every_steps: 2 tensorboard: false }
)";

class PrecisionAppTest : public AppRunner {
 protected:
  PrecisionAppTest() {
    WriteTextFile(dir_ / "mlp.pbtxt", kMlp);
    std::string text;
    for (int i = 0; i < 60; ++i) text += "To be, or not to be: that is the question.\n";
    WriteTextFile(dir_ / "text", text);
    WriteTextFile(dir_ / "gpt.pbtxt", kGpt + ("data { text { path: '" + Path("text") + "' } }"));
  }

  Outcome Train(const std::string& model, const std::string& name, const std::string& precision,
                const std::vector<std::string>& settings = {}, const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments{"--config", Path(model + ".pbtxt"),           "--out", Path(name),
                                       "--set",    "training.precision=" + precision};
    for (const std::string& setting : settings) arguments.insert(arguments.end(), {"--set", setting});
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Run(arguments);
  }

  std::string File(const std::string& path) { return ReadTextFile(dir_ / path); }

  /// The losses of a run's evaluations.
  std::vector<double> Evaluations(const std::string& run) {
    std::vector<double> losses;
    std::istringstream lines(File(run + "/metrics.jsonl"));
    for (std::string line; std::getline(lines, line);) {
      const auto record = nlohmann::json::parse(line);
      if (record["split"] == "eval") losses.push_back(record["loss"]);
    }
    return losses;
  }

  const ScopedEnv no_kernel_{"TWOFOUR_KERNEL", std::nullopt};
};

class BothModelsTest : public PrecisionAppTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(BothModelsTest, ThreadsDoNotMatter) {
  for (const char* threads : {"1", "2", "3"}) {
    ASSERT_EQ(Train(GetParam(), threads, "BF16", {}, {"--threads", threads}).code, 0);
    EXPECT_EQ(File(std::string(threads) + "/model.safetensors"), File("1/model.safetensors")) << threads;
    EXPECT_EQ(File(std::string(threads) + "/checkpoints/last/optimizer.safetensors"),
              File("1/checkpoints/last/optimizer.safetensors"));
    EXPECT_EQ(Evaluations(threads), Evaluations("1"));
  }
}

TEST_P(BothModelsTest, AResumedRunHasTheSameBits) {
  ASSERT_EQ(Train(GetParam(), "whole", "BF16").code, 0);
  ASSERT_EQ(Train(GetParam(), "parts", "BF16", {"training.steps=3"}).code, 0);
  ASSERT_EQ(Run({"--resume", Path("parts"), "--set", "training.steps=6", "--threads", "1"}).code, 0);
  EXPECT_EQ(File("whole/model.safetensors"), File("parts/model.safetensors"));
  // From a checkpoint on the way, as after a kill.
  ASSERT_EQ(Run({"--resume", Path("whole/checkpoints/step-2"), "--out", Path("branch"), "--threads", "3"}).code, 0);
  EXPECT_EQ(File("whole/model.safetensors"), File("branch/model.safetensors"));
  EXPECT_EQ(Evaluations("whole"), Evaluations("branch"));
}

TEST_P(BothModelsTest, BothPrecisionsKeepTheSameTensorsInF32) {
  ASSERT_EQ(Train(GetParam(), "narrow", "BF16").code, 0);
  ASSERT_EQ(Train(GetParam(), "wide", "FP32").code, 0);
  for (const char* file :
       {"model.safetensors", "checkpoints/last/model.safetensors", "checkpoints/last/optimizer.safetensors"}) {
    const std::vector<NamedTensor> narrow = LoadSafetensors(FileSystem::Default(), dir_ / "narrow" / file).tensors;
    const std::vector<NamedTensor> wide = LoadSafetensors(FileSystem::Default(), dir_ / "wide" / file).tensors;
    ASSERT_EQ(narrow.size(), wide.size()) << file;
    for (size_t i = 0; i < wide.size(); ++i) {
      EXPECT_EQ(narrow[i].name, wide[i].name);
      EXPECT_EQ(Describe(narrow[i].tensor), Describe(wide[i].tensor)) << wide[i].name;
      EXPECT_FALSE(IsHalf(narrow[i].tensor.dtype())) << wide[i].name;
    }
  }
  EXPECT_NE(File("narrow/model.safetensors"), File("wide/model.safetensors"));
  EXPECT_THAT(File("narrow/config.pbtxt"), HasSubstr("precision: BF16"));
  EXPECT_THAT(File("wide/config.pbtxt"), HasSubstr("precision: FP32"));
}

TEST_P(BothModelsTest, ARunMayGoOnInTheOtherPrecision) {
  for (const auto& [first, second] : {std::pair("FP32", "BF16"), std::pair("BF16", "FP32")}) {
    SCOPED_TRACE(first);
    ASSERT_EQ(Train(GetParam(), first, first).code, 0);
    const std::string branch = std::string(first) + "-" + second;
    const Outcome dry = Run({"--resume", Path(first), "--set", std::string("training.precision=") + second, "--set",
                             "training.steps=9", "--dry-run"});
    EXPECT_THAT(dry.out, HasSubstr("  from here on training.precision: "));
    const Outcome outcome = Run({"--resume", Path(std::string(first) + "/checkpoints/step-4"), "--out", Path(branch),
                                 "--set", std::string("training.precision=") + second});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_THAT(outcome.out,
                HasSubstr(std::string("  from here on training.precision: ") + first + " -> " + second + "\n"));
    for (const char* file : {"model.safetensors", "optimizer.safetensors", "trainer.json"}) {
      const std::string path = std::string("/checkpoints/step-4/") + file;
      EXPECT_EQ(File(branch + path), File(first + path)) << "the masters are not touched";
    }
    EXPECT_NE(File(branch + "/model.safetensors"), File(std::string(first) + "/model.safetensors"));
    EXPECT_THAT(File(branch + "/config.pbtxt"), HasSubstr(std::string("precision: ") + second));
    EXPECT_THAT(File(branch + "/metrics.jsonl"),
                HasSubstr(std::string(R"({"step":4,"split":"resumed","changes":["training.precision: )") + first +
                          " -> " + second + "\""));
    const Outcome report = Run({"report", Path(branch), "--out", Path("report.html")});
    ASSERT_EQ(report.code, 0) << report.err;
    EXPECT_THAT(report.err, HasSubstr("its config holds only after step 4: training.precision: "));
  }
}

INSTANTIATE_TEST_SUITE_P(All, BothModelsTest, ::testing::Values("mlp", "gpt"),
                         [](const auto& instance) { return std::string(instance.param); });

TEST_F(PrecisionAppTest, TheEvaluationIsInThePrecisionOfTraining) {
  // Without a learning rate the weights stay as they are, so that only the precision of the evaluation differs.
  for (const char* precision : {"FP32", "BF16"}) {
    ASSERT_EQ(Train("mlp", precision, precision, {"learning_rate.lr=0", "training.steps=2"}).code, 0);
  }
  EXPECT_EQ(File("FP32/model.safetensors"), File("BF16/model.safetensors"));
  EXPECT_NE(Evaluations("FP32"), Evaluations("BF16"));
  EXPECT_NEAR(Evaluations("FP32")[0], Evaluations("BF16")[0], 0.01);
}

TEST_F(PrecisionAppTest, ARunOfAnEarlierVersionIsFp32) {
  ASSERT_EQ(Train("mlp", "whole", "FP32").code, 0);
  ASSERT_EQ(Train("mlp", "early", "FP32", {"training.steps=4"}).code, 0);
  std::string config = File("early/config.pbtxt");
  const std::string line = "  precision: FP32\n";
  ASSERT_NE(config.find(line), std::string::npos);
  config.erase(config.find(line), line.size());
  WriteTextFile(dir_ / "early/config.pbtxt", config);
  const Outcome outcome = Run({"--resume", Path("early"), "--set", "training.steps=6"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, Not(HasSubstr("from here on training.precision")));
  EXPECT_EQ(File("early/model.safetensors"), File("whole/model.safetensors"));
}

TEST_F(PrecisionAppTest, TheTableSaysThePrecisionAndTheKernels) {
  const std::string wide = Train("mlp", "run", "FP32", {}, {"--dry-run"}).out;
  EXPECT_THAT(wide, HasSubstr("\n  precision   fp32\n"));
  const std::string narrow = Train("mlp", "run", "BF16", {}, {"--dry-run"}).out;
  EXPECT_THAT(narrow, HasSubstr("\n  precision   bf16 ("));
  const bool fast = kernels::FastBf16Gemm() != nullptr;
  EXPECT_EQ(narrow.find("run in fp32") == std::string::npos, fast);
  EXPECT_THAT(narrow, HasSubstr("dense products: " + kernels::Bf16GemmName()));

  std::string why_not;
  const sparse::FusedMlpKernel* const op =
      sparse::ChooseFusedMlpKernel({256, 128}, {128, 256}, kBatch, DType::kBF16, &why_not);
  EXPECT_THAT(narrow, HasSubstr(op != nullptr ? "as one op: " + op->name : "linear by linear: " + why_not));
  const sparse::LinearProblem problem = {
      .out_features = 256, .in_features = 128, .batch = kBatch, .input = DType::kBF16, .output = DType::kBF16};
  EXPECT_THAT(Train("mlp", "run", "BF16", {"sparsity.fused_mlp=false"}, {"--dry-run"}).out,
              AllOf(HasSubstr("[256, 128]  "), HasSubstr(sparse::ChooseLinearKernel(problem).kernel->name + " (")));
}

TEST_F(PrecisionAppTest, TheTableSaysThatPruningActivationsWidensThem) {
  const std::string activations = "sparsity.target=ACTIVATION", widened = "inputs are widened to fp32 to be pruned";
  EXPECT_THAT(Train("mlp", "run", "BF16", {activations}, {"--dry-run"}).out, HasSubstr(widened));
  EXPECT_THAT(Train("mlp", "run", "FP32", {activations}, {"--dry-run"}).out, Not(HasSubstr(widened)));
  EXPECT_THAT(Train("mlp", "run", "BF16", {}, {"--dry-run"}).out, Not(HasSubstr(widened)));
}

TEST_F(PrecisionAppTest, EveryKindOfModelAndMaskRunsInBf16) {
  const auto expect_runs = [this](const std::string& model, const std::vector<std::vector<std::string>>& cases) {
    for (std::vector<std::string> settings : cases) {
      settings.push_back("training.steps=2");
      const Outcome outcome = Train(model, "run", "BF16", settings, {"--overwrite"});
      EXPECT_EQ(outcome.code, 0) << model << " " << settings[0] << ": " << outcome.err;
    }
  };
  expect_runs("mlp", {{"model.residual_mlp.activation=GELU"},
                      {"model.residual_mlp.activation=SWIGLU", "model.residual_mlp.dropout=0.1"},
                      {"model.residual_mlp.width=36", "sparsity.multiple_of=4"},
                      {"model.mlp={hidden_features: [96, 64] activation: RELU}"},
                      {"model.mlp={}", "sparsity.enabled=false"},
                      {"training.batch_size=1", "evaluation.batch_size=1"},
                      {"sparsity.target=ACTIVATION"},
                      {"sparsity.algorithm=GREEDY"},
                      {"sparsity.algorithm=ROWS"},
                      {"sparsity.algorithm=ROWS", "sparsity.soft_threshold=true"},
                      {"sparsity.apply=false"},
                      {"sparsity.schedule={shape: LINEAR end { step: 2 }}"},
                      {"sparsity.masked_decay={lambda: 1e-3 place: WEIGHT}", "sparsity.dense_finish=0.5"}});
  expect_runs("gpt", {{"model.gpt.activation=SWIGLU"},
                      {"model.gpt.heads=4", "model.gpt.kv_heads=2", "model.gpt.attention_window=16"},
                      {"model.gpt.width=36", "model.gpt.heads=2", "sparsity.multiple_of=4"},
                      {"model.gpt.depth=0", "sparsity.enabled=false"},
                      {"model.gpt.soft_cap=0", "training.batch_size=1", "optimizer.adamw={}"},
                      {"sparsity.include='.*'"}});
}

TEST_F(PrecisionAppTest, AWordThatIsNoPrecisionIsRefused) {
  EXPECT_THAT(Train("mlp", "run", "FP16"), FailsWith(2, AllOf(HasSubstr("precision"), HasSubstr("FP16"))));
  EXPECT_FALSE(fs::exists(dir_ / "run"));
}

TEST_F(PrecisionAppTest, AForcedKernelForF32TakesWidenedActivations) {
  for (const char* kernel : {"masked_dense", "scalar_reference"}) {
    const ScopedEnv env("TWOFOUR_KERNEL", kernel);
    const Outcome outcome = Train("mlp", "run", "BF16", {"training.steps=1"}, {"--overwrite"});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_THAT(outcome.out,
                HasSubstr(std::string(kernel) + " (forced by TWOFOUR_KERNEL; it takes f32, to which bf16 is widened)"));
  }
  for (const sparse::FusedMlpKernel& kernel : sparse::FusedMlpKernels()) {
    if (kernel.linear->activation != DType::kF32 || !sparse::WhyNotHere(kernel.linear->isa).empty()) continue;
    const ScopedEnv env("TWOFOUR_KERNEL", kernel.name);
    EXPECT_THAT(Train("mlp", "run", "BF16", {}, {"--dry-run"}).out,
                HasSubstr("as one op: " + kernel.name + " (it takes f32, to which bf16 is widened)\n"));
  }
}

TEST_F(PrecisionAppTest, AForcedKernelForBf16IsRefusedInFp32) {
  for (const char* kernel : {"masked_dense_bf16", "pair_bucket_emulated_bf16", "fused_mlp_emulated_bf16"}) {
    const ScopedEnv env("TWOFOUR_KERNEL", kernel);
    EXPECT_THAT(Train("mlp", "run", "FP32"),
                FailsWith(2, AllOf(HasSubstr(std::string("TWOFOUR_KERNEL=") + kernel),
                                   HasSubstr("multiplies bf16 with f32 to bf16, here f32 with f32 to f32"))));
    EXPECT_FALSE(fs::exists(dir_ / "run"));
    EXPECT_EQ(Train("mlp", kernel, "BF16", {"training.steps=1"}).code, 0);
  }
}

TEST_F(PrecisionAppTest, AForcedKernelThatTheProcessorLacksIsRefused) {
  // The test runs once more with TWOFOUR_MAX_ISA=avx2, so that some kernels are lacking on every processor.
  std::vector<std::string> lacking;
  for (const sparse::LinearKernel& kernel : sparse::LinearKernels()) {
    if (!sparse::WhyNotHere(kernel.isa).empty()) lacking.push_back(kernel.name);
  }
  for (const sparse::FusedMlpKernel& kernel : sparse::FusedMlpKernels()) {
    if (!sparse::WhyNotHere(kernel.linear->isa).empty()) lacking.push_back(kernel.name);
  }
  if (lacking.empty()) GTEST_SKIP() << "this processor has all of them";
  for (const std::string& kernel : lacking) {
    const ScopedEnv env("TWOFOUR_KERNEL", kernel);
    for (const char* precision : {"FP32", "BF16"}) {
      EXPECT_THAT(Train("mlp", "run", precision),
                  FailsWith(2, AllOf(HasSubstr("TWOFOUR_KERNEL=" + kernel + ": needs "),
                                     HasSubstr(" is the best that this processor and TWOFOUR_MAX_ISA allow"))));
    }
  }
}

TEST_F(PrecisionAppTest, SamplesInThePrecisionOfTrainingOrTheOneAskedFor) {
  ASSERT_EQ(Train("gpt", "BF16", "BF16").code, 0);
  // The same weights, as if they were trained in fp32.
  fs::copy(dir_ / "BF16", dir_ / "FP32", fs::copy_options::recursive);
  std::string config = File("FP32/config.pbtxt");
  config.replace(config.find("precision: BF16"), 15, "precision: FP32");
  WriteTextFile(dir_ / "FP32/config.pbtxt", config);
  const auto sample = [&](const std::string& run, const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments{"sample", "--run", Path(run), "--prompt", "To be", "--tokens", "60"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome outcome = Run(arguments);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome;
  };
  const Outcome narrow = sample("BF16"), wide = sample("FP32");
  EXPECT_THAT(narrow.err, HasSubstr(" tokens/s, in bf16, packed, weights from "));
  EXPECT_THAT(wide.err, AllOf(HasSubstr(" tokens/s, packed, weights from "), Not(HasSubstr("bf16"))));
  EXPECT_EQ(sample("BF16", {"--precision", "bf16"}).out, narrow.out);
  EXPECT_EQ(sample("FP32", {"--precision", "BF16"}).out, narrow.out);
  EXPECT_EQ(sample("BF16", {"--precision", "fp32"}).out, wide.out);
  EXPECT_THAT(sample("FP32", {"--precision", "bf16"}).err, HasSubstr("in bf16, "));
  EXPECT_THAT(sample("BF16", {"--precision", "fp32"}).err, Not(HasSubstr("in bf16")));
  EXPECT_EQ(sample("BF16", {"--threads", "3"}).out, sample("BF16", {"--threads", "1"}).out);
  for (const char* word : {"fp16", "Bf16", ""}) {
    EXPECT_THAT(Run({"sample", "--run", Path("BF16"), "--precision", word}),
                FailsWith(2, HasSubstr(std::string("--precision: '") + word + "', expected fp32 or bf16")));
  }
}

}  // namespace
}  // namespace twofour::train
