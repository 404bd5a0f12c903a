// What `trainer quantize` refuses, and what quantised runs are refused by.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "tests/support/folder_snapshot.h"
#include "tests/support/text_file.h"
#include "tests/train/program/cli/quantize_runner.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;
using test::FailsWith;
using test::Outcome;
using test::ReadTextFile;
using test::WriteTextFile;
using ::testing::AllOf;
using ::testing::HasSubstr;

class QuantizeErrorsTest : public test::QuantizeRunner {
 protected:
  void ExpectRefused(const Outcome& outcome, const std::string& message) {
    EXPECT_THAT(outcome, FailsWith(2, HasSubstr(message)));
    EXPECT_EQ(std::ranges::count(outcome.err.substr(outcome.err.find("trainer: ")), '\n'), 1) << outcome.err;
    EXPECT_FALSE(fs::exists(dir_ / "out"));
  }
};

TEST_F(QuantizeErrorsTest, SaysWhatIsWrongAndWritesNothing) {
  TrainDense();
  const auto refuses = [&](const std::vector<std::string>& more, const std::string& message) {
    ExpectRefused(Quantize("dense", "out", more), message);
  };
  ExpectRefused(Run({"quantize", "--run", Path("dense"), "--out", Path("out")}), "--weights");
  ExpectRefused(Run({"quantize", "--run", Path("dense"), "--out", Path("out"), "--weights", "int9"}),
                "--weights: \"int9\" (did you mean 'int8'?), expected int8 or fp8 or nvfp4");
  refuses({"--activations", "nine"}, "--activations: \"nine\" (did you mean 'none'?), expected int8 or none");
  refuses({"--activations", "none", "--calibration"}, "--calibration: goes with --activations int8");
  refuses({"--samples", "0"}, "--samples");
  refuses({"--samples", "100000"}, "--samples: 100000, expected at most ");
  refuses({"--smooth", "1.5"}, "--smooth");
  refuses({"--smooth", "nan"}, "--smooth");
  refuses({"--samples", "4", "--skip-output-errors"}, "--samples: goes with --calibration, --smooth or output errors");
  refuses({"--include", "transfomer.*"}, "none of the 13 linears is to be quantised: 13 linears: name does not match");
  refuses({"--include", "("}, "include");
  refuses({"--smooth", "0.5", "--include", ".*c_proj"}, "--smooth: none of the linears reads the output of a norm");
  refuses({"--smoth", "0.5"}, "--smoth");
  ExpectRefused(Run({"quantise", "--run", Path("dense")}), "did you mean 'quantize'?");
  EXPECT_THAT(Quantize("dense", "dense/in"), FailsWith(2, HasSubstr("dense")));
  EXPECT_FALSE(fs::exists(dir_ / "dense/in"));
  EXPECT_THAT(Quantize("dense", "dense", {"--overwrite"}),
              FailsWith(2, HasSubstr("is the folder of the run " + Path("dense"))));
  EXPECT_TRUE(fs::exists(ModelFile("dense")));
}

TEST_F(QuantizeErrorsTest, AStopIsToldAndLeavesNothing) {
  TrainDense();
  stop_.signal = 15;
  stop_.stop = true;
  for (const std::vector<std::string>& more : {std::vector<std::string>{}, {"--skip-evaluation"}}) {
    const Outcome outcome = Quantize("dense", "out", more);
    EXPECT_EQ(outcome.code, 143);
    EXPECT_EQ(outcome.err, "stopped; nothing was written\n");
    EXPECT_FALSE(fs::exists(dir_ / "out"));
  }
}

TEST_F(QuantizeErrorsTest, AWeightThatIsNotFiniteIsNamed) {
  TrainDense();
  SafetensorsFile file = Read("dense");
  for (NamedTensor& named : file.tensors) {
    if (named.name == std::string(kFc) + ".weight") {
      named.tensor.mutable_data<float>()[33] = std::numeric_limits<float>::infinity();
    }
  }
  Write("dense", file);
  const Outcome outcome = Quantize("dense", "out");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr(std::string(kFc) + ".weight"));
  EXPECT_FALSE(fs::exists(dir_ / "out"));
}

TEST_F(QuantizeErrorsTest, CalibrationNeedsData) {
  TrainDense();
  // An imported run may lack data.
  const std::string config = ReadTextFile(dir_ / "dense/config.pbtxt");
  ASSERT_EQ(Run({"import", "--from", ModelFile("dense").string(), "--config", Path("dense/config.pbtxt"), "--out",
                 Path("imported")})
                .code,
            0);
  const fs::path file = dir_ / "imported/config.pbtxt";
  std::string text = ReadTextFile(file);
  const size_t path = text.find(Path("text.txt"));
  ASSERT_NE(path, std::string::npos);
  text.erase(path, Path("text.txt").size());
  WriteTextFile(file, text);
  ExpectRefused(Quantize("imported", "out", {"--calibration"}),
                "the run has no data, expected one with data to calibrate");
  ExpectRefused(Quantize("imported", "out", {"--smooth", "0.5"}), "the run has no data, expected one with data for");
  const Outcome outcome = Quantize("imported", "without");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("the run has no data, so that losses are not known"));
  EXPECT_EQ(Run({"sample", "--run", Path("without"), "--tokens", "3"}).code, 0);
}

TEST_F(QuantizeErrorsTest, AQuantisedRunIsNotTrainedOrChanged) {
  TrainDense();
  ASSERT_EQ(Quantize("dense", "int8", {"--skip-evaluation", "--skip-output-errors"}).code, 0);
  const auto before = test::SnapshotOf(dir_ / "int8");
  const std::string run = Path("int8"), out = Path("out"), config = Path("int8/config.pbtxt"),
                    kWhy = "has quantization: ";
  ExpectRefused(Quantize("int8", "out"), kWhy);
  ExpectRefused(Run({"--resume", run, "--out", out}), kWhy);
  ExpectRefused(Run({"--resume", run}), kWhy);
  ExpectRefused(Run({"--config", config, "--out", out}), kWhy);
  ExpectRefused(Run({"retrain", "--from", run, "--out", out}), kWhy);
  ExpectRefused(Run({"finetune", "--from", run, "--config", Path("gpt.pbtxt"), "--out", out}), kWhy);
  ExpectRefused(Run({"prune", "--run", run, "--out", out, "--method", "magnitude", "--pattern", "2:4"}), kWhy);
  ExpectRefused(Run({"prune", "--run", run, "--out", out, "--method", "magnitude", "--pattern", "2:4", "--rounds", "2",
                     "--round-steps", "3"}),
                kWhy);
  ExpectRefused(Run({"permute", "--from", run, "--out", out, "--pattern", "2:4"}), kWhy);
  ExpectRefused(Run({"shrink", "--run", run, "--out", out, "--neurons", "8"}), kWhy);
  ExpectRefused(Run({"sensitivity", "--run", run, "--out", out}), kWhy);
  ExpectRefused(Run({"suggest-decay", "--config", config}), kWhy);
  ExpectRefused(Run({"import", "--from", ModelFile("dense").string(), "--config", config, "--out", out}), kWhy);
  WriteTextFile(dir_ / "sweep.pbtxt", "name: 's' base: 'int8/config.pbtxt' seed: 1");
  EXPECT_THAT(Run({"sweep", "--config", Path("sweep.pbtxt"), "--out", out}), FailsWith(2, HasSubstr(kWhy)));
  EXPECT_FALSE(fs::exists(dir_ / "out"));
  ExpectRefused(TrainOnText("out", {"--set", "quantization.weights=int8"}), "cannot be set");
  ExpectRefused(TrainOnText("out", {"--set", "quantization={weights: 'int8'}"}), "cannot be set");
  ExpectRefused(TrainOnText("out", {"--set", "initial_weights=" + ModelFile("int8").string()}),
                "is of a weight of int8");
  EXPECT_EQ(test::SnapshotOf(dir_ / "int8"), before);
}

/// Each change of the file gives an error that names the tensor, by every command that reads the weights.
TEST_F(QuantizeErrorsTest, DamagedFilesAreRefused) {
  TrainDense();
  ASSERT_EQ(Quantize("dense", "int8", {"--calibration", "--skip-evaluation", "--skip-output-errors"}).code, 0);
  const SafetensorsFile good = Read("int8");
  const std::string weight = std::string(kFc) + ".weight", scale = weight + "_scale",
                    range = std::string(kFc) + ".input_scale", zero = std::string(kFc) + ".input_zero_point";
  const auto refuses = [&](const std::string& name, const Tensor& tensor, const std::string& message) {
    SCOPED_TRACE(name + ": " + message);
    SafetensorsFile file = good;
    std::erase_if(file.tensors, [&](const NamedTensor& named) { return named.name == name; });
    if (tensor.defined()) file.tensors.push_back({name, tensor});
    Write("int8", file);
    ExpectRefused(Run({"sample", "--run", Path("int8"), "--tokens", "2"}), message);
    ExpectRefused(Run({"evaluate", "--run", Path("int8")}), message);
    ExpectRefused(Run({"export", "--run", Path("int8"), "-o", Path("out")}), message);
  };
  for (const float bad : {0.0F, std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    refuses(scale, Tensor::Full({128}, bad), " for row 0, expected a number above 0 with which");
    refuses(range, Tensor::Full({1}, bad), "expected a finite number above 0");
  }
  refuses(scale, Tensor::Full({127}, 1), "expected f32 [128]");
  refuses(scale, Tensor::Full({128}, 1, DType::kF64), "expected f32 [128]");
  refuses(scale, {}, "is of int8, but '" + scale + "' is missing");
  refuses("lm_head.weight_scale", Tensor::Full({128}, 1), "there is no weight of few bits to which it belongs");
  refuses(weight, Tensor::Full({128, 32}, -128, DType::kI8), "value -128 at [0, 0]");
  refuses(weight, Tensor::Full({64, 32}, 1, DType::kI8), "expected f32 [64]");
  refuses(weight, Tensor::Full({128, 32}, 1), "there is no weight of few bits to which it belongs");
  refuses(weight, Tensor::Full({128, 70000}, 1, DType::kI8), "1 to 65536 columns");
  refuses(range, {}, "but '" + range + "' is missing");
  refuses(zero, Tensor::Full({1}, 1, DType::kI32), "expected i8 [1]");
  SafetensorsFile file = good;
  std::erase_if(file.tensors, [&](const NamedTensor& named) { return named.name == range || named.name == zero; });
  Write("int8", file);
  ExpectRefused(Run({"evaluate", "--run", Path("int8")}), "has no range of inputs, expected one because of the config");
}

TEST_F(QuantizeErrorsTest, AConfigAndAFileMustAgree) {
  TrainDense();
  ASSERT_EQ(Quantize("dense", "int8", {"--skip-evaluation", "--skip-output-errors"}).code, 0);
  const SafetensorsFile floats = Read("dense"), bytes = Read("int8");
  Write("dense", bytes);
  ExpectRefused(Run({"evaluate", "--run", Path("dense")}), "is of a weight of int8, as only runs of trainer quantize");
  Write("int8", floats);
  ExpectRefused(Run({"evaluate", "--run", Path("int8")}), "holds no weights of few bits");
  Write("int8", bytes);
  const fs::path config = dir_ / "int8/config.pbtxt";
  const std::string text = ReadTextFile(config);
  const auto with = [&](const std::string& old_text, const std::string& new_text) {
    std::string changed = text;
    changed.replace(changed.find(old_text), old_text.size(), new_text);
    WriteTextFile(config, changed);
    return Run({"evaluate", "--run", Path("int8")});
  };
  ExpectRefused(with("weights: \"int8\"", "weights: \"int4\""), "quantization.weights: 'int4', expected int8 or fp8");
  ExpectRefused(with("activations: \"int8\"", "activations: \"x\""), "quantization.activations: 'x', expected int8 or");
  ExpectRefused(with("range: \"token\"", "range: \"row\""), "quantization.range: 'row', expected token or tensor");
  ExpectRefused(with("range: \"token\"", "range: \"tensor\""), "has no range of inputs, expected one");
  ExpectRefused(with("range: \"token\"", "range: \"token\" smooth: nan"), "quantization.smooth: 'nan', expected 0 to");
  ExpectRefused(with("range: \"token\"", "range: \"token\" samples: -1"), "quantization.samples: '-1', expected 0 or");
  ExpectRefused(with("range: \"token\"", "range: \"token\" seed: -5"), "quantization.seed: '-5', expected 0 or more");
}

}  // namespace
}  // namespace twofour::train
