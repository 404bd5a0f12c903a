// `trainer quantize` to weights of fp8 and nvfp4, whose inputs stay floats.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "twofour/core/autograd.h"
#include "twofour/core/float4.h"
#include "twofour/core/float8.h"
#include "twofour/core/io/json.h"
#include "twofour/nn/linear.h"
#include "twofour/nn/swap.h"
#include "twofour/train/program/config/load_model.h"
#include "twofour/train/program/config/text_config.h"
#include "twofour/train/program/config/trained_run.h"
#include "twofour/train/program/config/workload.h"

#include "tests/support/folder_snapshot.h"
#include "tests/support/tensors.h"
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

class QuantizeFewBitsTest : public test::QuantizeRunner, public ::testing::WithParamInterface<const char*> {
 protected:
  std::string kind() const { return GetParam(); }
  bool nvfp4() const { return kind() == "nvfp4"; }

  /// The weight of a linear as docs/formats.md says that files hold it, element by element.
  Tensor DecodedWeight(const SafetensorsFile& file, const std::string& name) {
    const bool packed = file.Find(name + ".weight_values") != nullptr;
    const Tensor codes = *file.Find(name + (packed ? ".weight_values" : ".weight"));
    const Tensor scales = *file.Find(name + ".weight_scale");
    const int64_t rows = codes.dim(0), values = codes.dim(1) * (nvfp4() ? 2 : 1);
    Tensor weight = Tensor::Zeros({rows, packed ? values * 2 : values});
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t i = 0; i < values; ++i) {
        int64_t col = i;
        if (packed) {
          const Tensor& positions = *file.Find(name + ".weight_positions");
          col = i / 2 * 4 + (positions.data<uint8_t>()[row * positions.dim(1) + i / 4] >> i % 4 * 2) % 4;
        }
        double number = 0;
        if (nvfp4()) {
          const int code = codes.data<uint8_t>()[row * codes.dim(1) + i / 2] >> i % 2 * 4;
          number = double{E2M1ToFloat(static_cast<uint8_t>(code))} *
                   static_cast<float>(scales.data<Float8E4M3>()[row * scales.dim(1) + i / 16]) *
                   *file.Find(name + ".weight_scale_2")->data<float>();
        } else {
          number = double{static_cast<float>(codes.data<Float8E4M3>()[row * values + i])} * scales.data<float>()[row];
        }
        weight.mutable_data<float>()[row * weight.dim(1) + col] = static_cast<float>(number);
      }
    }
    return weight;
  }

  /// Replaces the weights of a run's dense model by those in the file of a quantised one, and checks how far they are.
  /// Returns the loss.
  double LossByHand(const std::string& run, const std::string& quantized) {
    TrainedRun trained = LoadTrainedRun(Path(run));
    Workload workload = BuildWorkload(trained.config);
    GiveWeights(trained, *workload.model);
    nn::SwapSemiSparseLinearWithLinear(*workload.model, /*apply_mask=*/true);
    const SafetensorsFile file = Read(quantized);
    workload.model->VisitModules([&](const std::string& name, nn::Module& module) {
      const auto* const linear = dynamic_cast<const nn::Linear*>(&module);
      if (linear == nullptr || name == "lm_head") return;
      Tensor weight = linear->weight();
      const Tensor decoded = DecodedWeight(file, name);
      ASSERT_EQ(decoded.shape(), weight.shape()) << name;
      const double largest_of_all = LargestOf(weight.data<float>(), weight.numel());
      for (int64_t row = 0; row < weight.dim(0); ++row) {
        const double largest = LargestOf(weight.data<float>() + row * weight.dim(1), weight.dim(1));
        for (int64_t col = 0; col < weight.dim(1); ++col) {
          const int64_t i = row * weight.dim(1) + col;
          const float before = weight.data<float>()[i], after = decoded.data<float>()[i];
          // Half a step of E4M3, or of E2M1 between 4 and 6 of a block's largest, whose scale was rounded, too.
          const double step = nvfp4() ? largest * 0.2 + largest_of_all / 500
                                      : std::max<double>(std::fabs(before) / 16, largest / 448 / 1024);
          ASSERT_NEAR(after, before, step * 1.001) << name << " " << i;
          if (before == 0) {
            ASSERT_EQ(after, 0) << name << " " << i;
          }
          weight.mutable_data<float>()[i] = after;
        }
      }
    });
    const NoGradGuard no_grad;
    return workload.task->EvaluateUnless(nullptr)->loss;
  }
  static double LargestOf(const float* numbers, int64_t count) {
    double largest = 0;
    for (int64_t i = 0; i < count; ++i) largest = std::max<double>(largest, std::fabs(numbers[i]));
    return largest;
  }
  void ExpectRefused(const Outcome& outcome, const std::string& message) {
    EXPECT_THAT(outcome, FailsWith(2, HasSubstr(message)));
    EXPECT_EQ(std::ranges::count(outcome.err.substr(outcome.err.find("trainer: ")), '\n'), 1) << outcome.err;
    EXPECT_FALSE(fs::exists(dir_ / "out"));
  }
};

INSTANTIATE_TEST_SUITE_P(Kinds, QuantizeFewBitsTest, ::testing::Values("fp8", "nvfp4"),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(QuantizeFewBitsTest, CommandsComputeWithTheNumbersOfTheFile) {
  TrainDense();
  struct Case {
    std::string pattern, name, form;
    double bytes;  ///< Of an entry in the file, beside scales of rows and of the weight.
  };
  const double value = nvfp4() ? 0.5 + 1.0 / 16 : 1;
  const std::vector<Case> cases = {{"", "dense", "dense", value},
                                   {"transposable:2:4", "2:4 both ways", "packed", value / 2 + 0.125},
                                   {"2:4", "2:4 along rows", "packed", value / 2 + 0.125},
                                   {"unstructured:0.5", "unstructured", "dense", value}};
  for (const auto& [pattern, name, form, bytes] : cases) {
    SCOPED_TRACE(name);
    const std::string run = pattern.empty() ? "dense" : "pruned" + pattern, out = kind() + pattern;
    if (!pattern.empty()) Prune(run, pattern);
    const Outcome outcome = QuantizeTo(kind(), run, out);
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_THAT(outcome.out, AllOf(HasSubstr("bytes of the 12 linears' weights: "), HasSubstr("loss: "),
                                   HasSubstr(fmt::format("the weights of {} in {}\n", Path(run), kind()))));
    EXPECT_NEAR(Loss(out), LossByHand(run, out), 1e-5);
    EXPECT_NEAR(Loss(out), Loss(run), 0.05);
    const JsonDocument document = Report(out);
    const JsonValue report = document.root();
    EXPECT_EQ(report.Find("weights")->string(), kind());
    EXPECT_EQ(report.Find("activations")->string(), "none");
    EXPECT_EQ(report.Find("loss_after")->number(), Loss(out));
    // Masked weights and packed ones may be added up in different orders.
    EXPECT_NEAR(report.Find("loss_before")->number(), Loss(run), 1e-5);
    const std::vector<JsonValue> linears = report.Find("linears")->elements();
    ASSERT_EQ(linears.size(), kLinears);
    for (const JsonValue& linear : linears) {
      EXPECT_EQ(linear.Find("pattern")->string(), name);
      EXPECT_EQ(linear.Find("form")->string(), form);
      EXPECT_LT(linear.Find("output_error")->number(), nvfp4() ? 0.2 : 0.05);
      EXPECT_GT(linear.Find("output_error")->number(), nvfp4() ? 0.02 : 0.005);
      const double rows = linear.Find("out_features")->number(), cols = linear.Find("in_features")->number();
      EXPECT_EQ(linear.Find("bytes_before")->number(), rows * cols * 4);
      const double scales = nvfp4() ? 4 : 4 * rows, pattern_bytes = form == "packed" ? 32 : 0;
      EXPECT_EQ(linear.Find("bytes_after")->number(), rows * cols * bytes + scales + pattern_bytes);
    }
    EXPECT_EQ(Run({"sample", "--run", Path(out), "--tokens", "3"}).code, 0);
    EXPECT_EQ(Run({"evaluate", "--run", Path(out), "--precision", "BF16"}).code, 0);
  }
  const proto::Quantization record = LoadTextConfig((dir_ / kind() / "config.pbtxt").string()).quantization();
  EXPECT_EQ(record.weights(), kind());
  EXPECT_EQ(record.activations(), "none");
  EXPECT_FALSE(record.has_range());
}

TEST_P(QuantizeFewBitsTest, OtherCommandsReadSuchRuns) {
  TrainDense();
  Prune("pruned", "2:4");
  ASSERT_EQ(QuantizeTo(kind(), "pruned", "few").code, 0);
  const Outcome inspected = Run({"inspect", Path("few")});
  EXPECT_THAT(inspected.out, AllOf(HasSubstr(nvfp4() ? "NVFP4" : "F8_E4M3"), HasSubstr("(packed 2:4, 0."),
                                   HasSubstr("2:4 along rows")));
  ASSERT_EQ(Run({"report", Path("dense"), Path("few"), "--out", Path("report.html")}).code, 0);
  EXPECT_THAT(ReadTextFile(dir_ / "report.html"), HasSubstr(fmt::format("weights {}, inputs none", kind())));
  EXPECT_EQ(Run({"analyze", Path("few")}).code, 0);
  // What is exported are the floats that codes stand for, which give the same losses.
  for (const std::string format : {"masked", "packed"}) {
    const std::string file = Path(format + ".safetensors"), imported = "imported_" + format;
    ASSERT_EQ(Run({"export", "--run", Path("few"), "--format", format, "-o", file}).code, 0);
    ASSERT_EQ(Run({"import", "--from", file, "--config", Path("dense/config.pbtxt"), "--out", Path(imported)}).code, 0);
    EXPECT_NEAR(Loss(imported), Loss("few"), 1e-6);
  }
  const SafetensorsFile exported = LoadSafetensors(FileSystem::Default(), dir_ / "masked.safetensors");
  test::ExpectBitEqual(*exported.Find(std::string(kFc) + ".weight"), DecodedWeight(Read("few"), kFc));
  ASSERT_EQ(Run({"import", "--from", ModelFile("few").string(), "--config", Path("dense/config.pbtxt"), "--out",
                 Path("imported")})
                .code,
            0);
  EXPECT_NEAR(Loss("imported"), Loss("few"), 1e-6);
  EXPECT_EQ(Run({"sample", "--run", Path("pruned"), "--weights", ModelFile("few").string(), "--tokens", "3"}).code, 0);
}

TEST_P(QuantizeFewBitsTest, ThreadsAndSmoothingWorkAsForBytes) {
  TrainDense();
  Prune("pruned", "transposable:2:4");
  for (const std::string threads : {"1", "2"}) {
    ASSERT_EQ(QuantizeTo(kind(), "pruned", "out" + threads, {"--threads", threads, "--smooth", "0.5"}).code, 0);
  }
  EXPECT_EQ(ReadTextFile(ModelFile("out1")), ReadTextFile(ModelFile("out2")));
  EXPECT_EQ(Report("out1").root().Find("loss_after")->number(), Loss("out2"));
  EXPECT_NEAR(Loss("out1"), Loss("pruned"), 0.05);
}

TEST_P(QuantizeFewBitsTest, BadInputIsRefusedAndNothingWritten) {
  TrainDense();
  ExpectRefused(QuantizeTo(kind(), "dense", "out", {"--activations", "int8"}),
                "--activations int8: goes with --weights int8");
  ExpectRefused(QuantizeTo(kind(), "dense", "out", {"--calibration"}), "--calibration: goes with --weights int8");
  ExpectRefused(QuantizeTo(kind(), "dense", "out", {"--calibration", "--activations", "none"}),
                "--calibration: goes with --weights int8");
  ExpectRefused(QuantizeTo(kind() + "x", "dense", "out"), fmt::format("(did you mean '{}'?)", kind()));
  const std::map<std::string, std::string> patterns = {
      {"16:2:8", "16:2:8"}, {"4:8", "4:8 along rows"}, {"1:4", "1:4 along rows"}};
  for (const auto& [pattern, name] : patterns) {
    Prune(pattern, pattern);
    ExpectRefused(
        QuantizeTo(kind(), pattern, "out"),
        fmt::format("transformer.h.0.attn.c_q: pattern {}, expected dense, 2:4 or unstructured for weights of "
                    "{}; --weights int8 takes it, and --exclude leaves the linear as it is",
                    name, kind()));
  }
  const Outcome without = QuantizeTo(kind(), "4:8", "without", {"--include", "lm_head"});
  EXPECT_EQ(without.code, 0) << without.err;
}

TEST_P(QuantizeFewBitsTest, ZerosInNoPatternOfTheKindAreStoredLikeOtherNumbers) {
  TrainDense();
  SafetensorsFile file = Read("dense");
  for (NamedTensor& named : file.tensors) {
    if (named.name != std::string(kFc) + ".weight") continue;
    for (int64_t i = 0; i < named.tensor.numel(); i += 4) named.tensor.mutable_data<float>()[i] = 0;  // 3:4, by chance.
  }
  Write("dense", file);
  const Outcome outcome = QuantizeTo(kind(), "dense", "out");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const Tensor weight = DecodedWeight(Read("out"), kFc);
  for (int64_t i = 0; i < weight.numel(); i += 4) ASSERT_EQ(weight.data<float>()[i], 0) << i;
}

TEST_P(QuantizeFewBitsTest, SuchARunIsNotTrainedOrChanged) {
  TrainDense();
  ASSERT_EQ(QuantizeTo(kind(), "dense", "few", {"--skip-evaluation", "--skip-output-errors"}).code, 0);
  const auto before = test::SnapshotOf(dir_ / "few");
  const std::string run = Path("few"), out = Path("out"), kWhy = "has quantization: weights of few bits";
  ExpectRefused(QuantizeTo(kind(), "few", "out"), kWhy);
  ExpectRefused(Quantize("few", "out"), kWhy);
  ExpectRefused(Run({"--resume", run, "--out", out}), kWhy);
  ExpectRefused(Run({"--config", Path("few/config.pbtxt"), "--out", out}), kWhy);
  ExpectRefused(Run({"retrain", "--from", run, "--out", out}), kWhy);
  ExpectRefused(Run({"prune", "--run", run, "--out", out, "--method", "magnitude", "--pattern", "2:4"}), kWhy);
  ExpectRefused(TrainOnText("out", {"--set", "initial_weights=" + ModelFile("few").string()}),
                fmt::format("is of a weight of {}, as only runs of trainer quantize", kind()));
  EXPECT_EQ(test::SnapshotOf(dir_ / "few"), before);
}

TEST_P(QuantizeFewBitsTest, DamagedFilesAreRefused) {
  TrainDense();
  ASSERT_EQ(QuantizeTo(kind(), "dense", "few", {"--skip-evaluation", "--skip-output-errors"}).code, 0);
  const SafetensorsFile good = Read("few");
  const std::string weight = std::string(kFc) + ".weight", scale = weight + "_scale";
  const auto refuses = [&](const std::string& name, const Tensor& tensor, const std::string& message) {
    SCOPED_TRACE(name + ": " + message);
    SafetensorsFile file = good;
    std::erase_if(file.tensors, [&](const NamedTensor& named) { return named.name == name; });
    if (tensor.defined()) file.tensors.push_back({name, tensor});
    Write("few", file);
    ExpectRefused(Run({"sample", "--run", Path("few"), "--tokens", "2"}), message);
    ExpectRefused(Run({"evaluate", "--run", Path("few")}), message);
    ExpectRefused(Run({"export", "--run", Path("few"), "-o", Path("out")}), message);
  };
  const DType values = nvfp4() ? DType::kU8 : DType::kF8E4M3;
  refuses(scale, {}, "is of " + kind() + ", but '" + scale + "' is missing");
  refuses(weight, Tensor::Zeros({128, 31}, values), nvfp4() ? "[128, 2], expected f8_e4m3 [128, 4]" : "[128, 32]");
  refuses(weight, Tensor::Full({128, 32}, 1), "there is no weight of few bits to which it belongs");
  refuses("lm_head.weight_scale", Tensor::Full({128}, 1), "there is no weight of few bits to which it belongs");
  for (const float bad : {0.0F, 3e38F}) {
    refuses(nvfp4() ? weight + "_scale_2" : scale, Tensor::Full({nvfp4() ? 1 : 128}, bad),
            nvfp4() ? fmt::format("scale 0 is {}, expected", bad) : fmt::format("{} for row 0, expected", bad));
  }
}

TEST_P(QuantizeFewBitsTest, AConfigAndAFileMustAgree) {
  TrainDense();
  ASSERT_EQ(QuantizeTo(kind(), "dense", "few", {"--skip-evaluation", "--skip-output-errors"}).code, 0);
  const fs::path config = dir_ / "few/config.pbtxt";
  const std::string text = ReadTextFile(config), given = fmt::format("weights: \"{}\"", kind());
  const auto with = [&](const std::string& old_text, const std::string& new_text) {
    std::string changed = text;
    changed.replace(changed.find(old_text), old_text.size(), new_text);
    WriteTextFile(config, changed);
    return Run({"evaluate", "--run", Path("few")});
  };
  for (const std::string other : {"int8", nvfp4() ? "fp8" : "nvfp4"}) {
    ExpectRefused(with(given, fmt::format("weights: \"{}\"", other)),
                  fmt::format("is of {}, expected {} because of the config's quantization", kind(), other));
  }
  ExpectRefused(with(given, "weights: \"fp4\""), "quantization.weights: 'fp4', expected int8 or fp8 or nvfp4");
  ExpectRefused(with("activations: \"none\"", "activations: \"int8\""),
                "quantization.activations: 'int8', expected none with weights of " + kind());
  ExpectRefused(with("activations: \"none\"", "activations: \"none\" range: \"tensor\""),
                "quantization.range: 'tensor', expected none without activations");
}

}  // namespace
}  // namespace twofour::train
