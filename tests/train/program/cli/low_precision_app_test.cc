// Training in FP8 and NVFP4, which are emulated.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "twofour/comm/thread_network.h"
#include "twofour/core/io/json.h"

#include "tests/support/text_file.h"
#include "tests/train/program/cli/app_runner.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;
using test::AppRunner;
using test::FailsWith;
using test::Outcome;
using test::ReadTextFile;
using test::WriteTextFile;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kGpt = R"(
model { gpt { depth: 2 width: 64 sequence_length: 32 } }
training { steps: 6 batch_size: 3 accumulate_steps: 4 shards: 2 }
optimizer { muon {} }
evaluation { every_steps: 3 }
checkpoint { every_steps: 2 keep: 10 }
logging { every_steps: 2 tensorboard: false }
)";

class LowPrecisionAppTest : public AppRunner {
 protected:
  LowPrecisionAppTest() {
    std::string text;
    for (int i = 0; i < 60; ++i) text += "To be, or not to be: that is the question.\n";
    WriteTextFile(dir_ / "text", text);
    WriteTextFile(dir_ / "gpt.pbtxt", kGpt + ("data { text { path: '" + Path("text") + "' } }"));
  }

  std::vector<std::string> Training(const std::string& name, const std::vector<std::string>& settings,
                                    const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments{"--config", Path("gpt.pbtxt"), "--out", Path(name)};
    for (const std::string& setting : settings) arguments.insert(arguments.end(), {"--set", setting});
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  Outcome Train(const std::string& name, const std::vector<std::string>& settings,
                const std::vector<std::string>& more = {}) {
    return Run(Training(name, settings, more));
  }
  double Loss(const std::string& run, const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments{"evaluate", "--run", Path(run), "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome outcome = Run(arguments);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return JsonDocument::Parse(outcome.out, run).root().Find("loss")->number();
  }
  double Number(const std::string& file, const char* key) {
    return JsonDocument::Parse(ReadTextFile(dir_ / file), file).root().Find(key)->number();
  }
  std::string Model(const std::string& run) { return ReadTextFile(dir_ / run / "model.safetensors"); }
};

TEST_F(LowPrecisionAppTest, SaysWhatIsEmulatedAndWhatIsNot) {
  const Outcome fp8 = Train("fp8", {"training.precision=FP8", "training.low_precision.first_blocks=1"}, {"--sparse"});
  EXPECT_EQ(fp8.code, 0) << fp8.err;
  EXPECT_THAT(fp8.out,
              AllOf(HasSubstr("converted"),
                    HasSubstr("linears compute in FP8: weights e4m3; activations e4m3; "
                              "gradients e5m2\n"),
                    HasSubstr("emulated: operands are rounded to FP8 and multiplied as bf16, so this is slower"),
                    HasSubstr("because it is in one of the first blocks: transformer.h.0."),
                    HasSubstr("1 linear in bf16, because name matches exclude"),
                    HasSubstr("linear by linear: their operands are rounded")));
  const Outcome nvfp4 = Train("nvfp4", {"training.precision=NVFP4"});
  EXPECT_THAT(nvfp4.out, AllOf(HasSubstr("linears compute in NVFP4: weights nvfp4; activations nvfp4; gradients nvfp4, "
                                         "rounded at random; operands of weight gradients rotated (Hadamard)\n"),
                               HasSubstr("because it is in one of the last blocks: transformer.h.1.")));
  EXPECT_THAT(fp8.out, Not(HasSubstr("last blocks")));
  const Outcome bf16 = Train("bf16", {"training.precision=BF16"});
  EXPECT_THAT(bf16.out, Not(HasSubstr("emulated")));
  EXPECT_NE(Model("nvfp4"), Model("bf16"));
  EXPECT_NE(Model("nvfp4"), Model("fp8"));
}

TEST_F(LowPrecisionAppTest, ThreadsRanksAndPausesDoNotMatter) {
  for (const char* const recipe : {"--dense", "--sparse"}) {
    SCOPED_TRACE(recipe);
    const std::string one = std::string("one") + recipe;
    const std::vector<std::string> settings = {"training.precision=NVFP4"};
    ASSERT_EQ(Train(one, settings, {recipe, "--threads", "1"}).code, 0);
    ASSERT_EQ(Train(one + "2", settings, {recipe, "--threads", "2"}).code, 0);
    EXPECT_TRUE(Model(one + "2") == Model(one));

    ASSERT_EQ(Train(one + "part", {"training.precision=NVFP4", "training.steps=4"}, {recipe}).code, 0);
    ASSERT_EQ(Run({"--resume", Path(one + "part"), "--set", "training.steps=6"}).code, 0);
    EXPECT_TRUE(Model(one + "part") == Model(one));

    const std::vector<std::string> words = Training(one + "ranks", settings, {recipe, "--threads", "1"});
    comm::ThreadNetwork network(2, {.timeout_seconds = 60, .stack_bytes = size_t{8} << 20});
    network.Run([&](comm::Communicator& rank) {
      std::vector<const char*> argv{"trainer"};
      for (const std::string& word : words) argv.push_back(word.c_str());
      std::ostringstream out, err;
      const StopRequest stop;
      EXPECT_EQ(RunTrainer(static_cast<int>(argv.size()), argv.data(), out, err, false, stop, rank), 0) << err.str();
    });
    EXPECT_TRUE(Model(one + "ranks") == Model(one)) << "ranks";
  }
}

TEST_F(LowPrecisionAppTest, EvaluatesAsItTrained) {
  ASSERT_EQ(Train("run", {"training.precision=FP8"}).code, 0);
  const std::string as_trained = Run({"evaluate", "--run", Path("run"), "--json"}).out;
  const std::string metrics = ReadTextFile(dir_ / "run/metrics.jsonl");
  const size_t last = metrics.rfind("\"eval\"");
  ASSERT_NE(last, std::string::npos);
  const size_t at = metrics.find("\"loss\":", last) + 7;
  const std::string loss = metrics.substr(at, metrics.find_first_of(",}", at) - at);
  EXPECT_THAT(as_trained, HasSubstr("\"loss\": " + loss));
  EXPECT_NE(Run({"evaluate", "--run", Path("run"), "--json", "--precision", "bf16"}).out, as_trained);
  EXPECT_EQ(Run({"sample", "--run", Path("run"), "--tokens", "5"}).code, 0);
}

TEST_F(LowPrecisionAppTest, WhatIsMadeOfAMaskedRunIsComparedWithItsOwnLoss) {
  for (const std::string precision : {"FP8", "NVFP4"}) {
    SCOPED_TRACE(precision);
    const std::string run = "run" + precision, pruned = "pruned" + precision, quantized = "quantized" + precision,
                      measured = "measured" + precision;
    ASSERT_EQ(Train(run, {"training.precision=" + precision}, {"--sparse"}).code, 0);
    const double loss = Loss(run);
    EXPECT_NE(Loss(run, {"--precision", "bf16"}), loss);
    const Outcome prune = Run({"prune", "--run", Path(run), "--out", Path(pruned), "--method", "magnitude", "--pattern",
                               "1:4", "--skip-output-errors"});
    ASSERT_EQ(prune.code, 0) << prune.err;
    // To the bit, here and below.
    EXPECT_EQ(Number(pruned + "/pruning.json", "loss_before"), loss);
    EXPECT_EQ(Number(pruned + "/pruning.json", "loss_after"), Loss(pruned));
    const Outcome quantize = Run({"quantize", "--run", Path(run), "--out", Path(quantized), "--weights", "int8",
                                  "--activations", "none", "--skip-output-errors"});
    ASSERT_EQ(quantize.code, 0) << quantize.err;
    EXPECT_EQ(Number(quantized + "/quantization.json", "loss_before"), loss);
    EXPECT_EQ(Number(quantized + "/quantization.json", "loss_after"), Loss(quantized));
    const Outcome sensitivity = Run({"sensitivity", "--run", Path(run), "--out", Path(measured), "--levels", "0.5",
                                     "--include", R"(transformer\.h\.0\.mlp\..*)"});
    ASSERT_EQ(sensitivity.code, 0) << sensitivity.err;
    EXPECT_EQ(Number(measured + "/sensitivity.json", "dense_loss"), loss);
    // The masks of 2:4 drop half of each already, so nothing is added.
    EXPECT_THAT(sensitivity.out, AllOf(HasSubstr("+0.0000"), Not(HasSubstr("-0.0"))));
  }
}

TEST_F(LowPrecisionAppTest, SensitivityIsThatOfAPrunedRun) {
  ASSERT_EQ(Train("run", {"training.precision=NVFP4"}).code, 0);
  const std::string linear = "transformer.h.0.mlp.c_fc";
  const Outcome sensitivity =
      Run({"sensitivity", "--run", Path("run"), "--out", Path("measured"), "--levels", "0.75", "--include", linear});
  ASSERT_EQ(sensitivity.code, 0) << sensitivity.err;
  const Outcome prune = Run({"prune", "--run", Path("run"), "--out", Path("pruned"), "--method", "magnitude",
                             "--pattern", "unstructured:0.75", "--include", linear, "--skip-output-errors"});
  ASSERT_EQ(prune.code, 0) << prune.err;
  const JsonDocument measured = JsonDocument::Parse(ReadTextFile(dir_ / "measured/sensitivity.json"), "measured");
  const JsonValue first = measured.root().Find("linears")->elements()[0];
  EXPECT_NEAR(first.Find("points")->elements()[0].Find("loss")->number(), Number("pruned/pruning.json", "loss_after"),
              1e-6);
}

TEST_F(LowPrecisionAppTest, SamplesAreComputedInThePrecisionOfTheRun) {
  ASSERT_EQ(Train("run", {"training.precision=FP8"}, {"--sparse"}).code, 0);
  const std::vector<std::string> sample = {"sample", "--run", Path("run"), "--tokens", "3"};
  EXPECT_THAT(Run(sample).err, AllOf(HasSubstr("3 tokens"), Not(HasSubstr("packed"))));
  std::vector<std::string> in_bf16 = sample;
  in_bf16.insert(in_bf16.end(), {"--precision", "bf16"});
  EXPECT_THAT(Run(in_bf16).err, HasSubstr("packed"));
}

TEST_F(LowPrecisionAppTest, ARunMayGoOnInAnotherPrecision) {
  const std::string first = "training.low_precision.first_blocks=1";
  ASSERT_EQ(Train("run", {"training.precision=FP8", first}).code, 0);
  const std::vector<std::string> resume = {"--resume", Path("run"),       "--set", "training.precision=BF16",
                                           "--set",    "training.steps=8"};
  const auto and_also = [&resume](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = resume;
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  };
  EXPECT_THAT(Run(and_also({"--set", first})), FailsWith(2, HasSubstr("unless the precision is FP8 or NVFP4")));
  const Outcome same = Run(and_also({"--config", Path("run/config.pbtxt"), "--dry-run"}));
  EXPECT_EQ(same.code, 0) << same.err;
  const Outcome retrained =
      Run({"retrain", "--from", Path("run"), "--out", Path("retrained"), "--set", "training.precision=FP32"});
  EXPECT_EQ(retrained.code, 0) << retrained.err;
  const Outcome resumed = Run(resume);
  EXPECT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_THAT(resumed.out, Not(HasSubstr("emulated")));
  EXPECT_THAT(ReadTextFile(dir_ / "run/config.pbtxt"), Not(HasSubstr("first_blocks: 1")));
  // Of a file of the user's, it is a mistake.
  WriteTextFile(dir_ / "bf16.pbtxt", "training { precision: BF16 low_precision { first_blocks: 1 } }" +
                                         ("model { gpt {} } data { text { path: '" + Path("text") + "' } }"));
  EXPECT_THAT(Run({"--config", Path("bf16.pbtxt"), "--out", Path("x")}),
              FailsWith(2, HasSubstr("unless the precision is FP8 or NVFP4")));
}

TEST_F(LowPrecisionAppTest, RefusesToRoundNothing) {
  const auto refuses = [this](const std::string& setting, const std::string& why) {
    const Outcome outcome = Train("x", {"training.precision=NVFP4", setting});
    EXPECT_THAT(outcome, FailsWith(2, AllOf(HasSubstr("config: training.low_precision: no linear would compute in "
                                                      "NVFP4, expected at least one ("),
                                            HasSubstr(why))));
    EXPECT_FALSE(fs::exists(dir_ / "x"));
  };
  refuses("training.low_precision.include=none", "and 12 more: name does not match include");
  refuses("training.low_precision.exclude=.*", "and 12 more: name matches exclude");
  refuses("training.low_precision.first_blocks=5", "and 11 more: it is in one of the first blocks; lm_head: ");
}

TEST_F(LowPrecisionAppTest, ConvolutionsAreNoBlocksToLeave) {
  WriteTextFile(dir_ / "conv.pbtxt", R"(
model { conv_net { convolutions { channels: 4 } convolutions { channels: 4 pool: 2 } hidden_features: 16 } }
data { glyphs { train_size: 32 eval_size: 16 } }
training { steps: 2 batch_size: 8 precision: NVFP4 }
)");
  const Outcome outcome = Run({"--config", Path("conv.pbtxt"), "--out", Path("conv"), "--dry-run"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("1 linear computes in NVFP4: "), Not(HasSubstr("last blocks"))));
}

TEST_F(LowPrecisionAppTest, EveryOperandIsSetOnItsOwn) {
  const Outcome outcome = Train("x",
                                {"training.precision=FP8", "training.low_precision.weights={format: E5M2 scales: ROW}",
                                 "training.low_precision.activations={format: NVFP4}",
                                 "training.low_precision.gradients={scales: BLOCK block: 16 rounding: STOCHASTIC}",
                                 "training.low_precision.hadamard=ON", "training.low_precision.include=.*c_fc"},
                                {"--dry-run"});
  EXPECT_THAT(outcome.out, HasSubstr("2 linears compute in FP8: weights e5m2 with a scale for each row; activations "
                                     "nvfp4; gradients e5m2 with a scale for 16 neighbours, rounded at random; "
                                     "operands of weight gradients rotated"));
}

TEST_F(LowPrecisionAppTest, RefusesWhatDoesNotGoTogether) {
  const auto refuses = [this](const std::vector<std::string>& settings, const std::string& why) {
    EXPECT_THAT(Train("x", settings), FailsWith(2, HasSubstr(why)));
    EXPECT_FALSE(fs::exists(dir_ / "x"));
  };
  refuses({"training.precision=FP9"}, "FP9");
  refuses({"training.low_precision.first_blocks=1"}, "unless the precision is FP8 or NVFP4");
  refuses({"training.precision=BF16", "training.low_precision.hadamard=ON"}, "unless the precision is FP8 or NVFP4");
  refuses({"training.precision=FP8", "training.low_precision.gradients={scales: BLOCK block: 0}"},
          "training.low_precision.gradients.block: 0");
  refuses({"training.precision=FP8", "training.low_precision.last_blocks=-2"},
          "training.low_precision.last_blocks: -2");
  refuses({"training.precision=FP8", "training.low_precision.include=("}, "training.low_precision.include");
  refuses({"training.precision=FP8", "training.low_precision.weights={format: E3M4}"}, "E3M4");
  refuses({"training.precision=NVFP4", "training.low_precision.weights.scales=ROW"},
          "training.low_precision.weights.scales: ROW, expected TENSOR for NVFP4");
  refuses({"training.precision=FP8", "training.low_precision.gradients={format: BF16 scales: BLOCK}"},
          "training.low_precision.gradients.scales: BLOCK, expected TENSOR for BF16");
  refuses({"training.precision=FP8", "training.low_precision.weights.block=16"},
          "training.low_precision.weights.block: 16, expected 32");
}

}  // namespace
}  // namespace twofour::train
