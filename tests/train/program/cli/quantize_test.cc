// `trainer quantize`, and what commands compute with runs that it made.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "twofour/core/autograd.h"
#include "twofour/core/io/json.h"
#include "twofour/nn/forward_observer.h"
#include "twofour/nn/generate.h"
#include "twofour/nn/linear.h"
#include "twofour/nn/packed_linears.h"
#include "twofour/nn/sparse_linear.h"
#include "twofour/nn/swap.h"
#include "twofour/sparse/int8_weight.h"
#include "twofour/train/exchange/quantized_weights.h"
#include "twofour/train/program/config/load_model.h"
#include "twofour/train/program/config/text_config.h"
#include "twofour/train/program/config/trained_run.h"
#include "twofour/train/program/config/workload.h"

#include "tests/support/text_file.h"
#include "tests/train/program/cli/quantize_runner.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;
using test::Outcome;
using test::ReadTextFile;
using ::testing::AllOf;
using ::testing::HasSubstr;

using Ranges = std::map<std::string, sparse::Int8Range>;

/// The least and the largest input of each linear, over everything that the model computes meanwhile.
class RangeObserver : public nn::ForwardObserver {
 public:
  std::map<const nn::Module*, std::pair<float, float>> ranges;
  void OnLinear(const nn::Module& linear, const nn::LinearInput& input) override {
    const Tensor x = input.Values();
    auto& [least, largest] = ranges[&linear];
    for (int64_t i = 0; i < x.numel(); ++i) {
      least = std::min(least, x.data<float>()[i]);
      largest = std::max(largest, x.data<float>()[i]);
    }
  }
};

/// Rounds the linears of a run's dense model that match, by hand: each row by its largest magnitude.
void QuantizeByHand(nn::Module& model, const Ranges& ranges = {}) {
  nn::SwapSemiSparseLinearWithLinear(model, /*apply_mask=*/true);
  std::vector<nn::PackedLinear> packed;
  model.VisitModules([&](const std::string& name, nn::Module& module) {
    const auto* const linear = dynamic_cast<const nn::Linear*>(&module);
    if (linear == nullptr || name == "lm_head") return;
    const int64_t rows = linear->weight().dim(0), cols = linear->weight().dim(1);
    sparse::Int8Matrix matrix{Tensor::Empty({rows, cols}, DType::kI8), Tensor::Empty({rows})};
    for (int64_t row = 0; row < rows; ++row) {
      const float* const w = linear->weight().data<float>() + row * cols;
      float largest = 0;
      for (int64_t col = 0; col < cols; ++col) largest = std::max(largest, std::fabs(w[col]));
      const float scale = largest == 0 ? 1 : largest / 127;
      matrix.scales.mutable_data<float>()[row] = scale;
      for (int64_t col = 0; col < cols; ++col) {
        matrix.values.mutable_data<int8_t>()[row * cols + col] = static_cast<int8_t>(std::nearbyint(w[col] / scale));
      }
    }
    const sparse::Mask whole = sparse::Mask::FromTensor(Tensor::Full({rows, cols}, 1, DType::kBool));
    const auto range = ranges.find(name);
    packed.push_back({.name = name,
                      .weight = std::make_shared<sparse::Int8Weight>(
                          matrix, whole, sparse::MaskFormat::Dense(),
                          range == ranges.end() ? std::nullopt : std::optional(range->second)),
                      .bias = linear->bias()});
  });
  nn::PutPackedLinears(model, packed, "by hand");
}

class QuantizeTest : public test::QuantizeRunner {
 protected:
  double LossByHand(const std::string& run, const Ranges& ranges = {}) {
    TrainedRun trained = LoadTrainedRun(Path(run));
    Workload workload = BuildWorkload(trained.config);
    GiveWeights(trained, *workload.model);
    QuantizeByHand(*workload.model, ranges);
    const NoGradGuard no_grad;
    return workload.task->EvaluateUnless(nullptr)->loss;
  }
  std::string SampleByHand(const std::string& run, const Ranges& ranges = {}) {
    const LoadedLanguageModel loaded = LoadLanguageModel(Path(run));
    QuantizeByHand(*loaded.model, ranges);
    const std::vector<int32_t> prompt = loaded.vocabulary->Encode("12");
    std::string text = "12";
    for (const int32_t id : nn::Generate(*loaded.model, prompt, {.tokens = 40, .sampling = {.temperature = 0}})) {
      text += loaded.vocabulary->Decode({&id, 1});
    }
    return text + "\n";
  }
  std::string Sample(const std::string& run) {
    const Outcome outcome =
        Run({"sample", "--run", Path(run), "--prompt", "12", "--tokens", "40", "--temperature", "0"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("packed, "));
    return outcome.out;
  }
  void ExpectComputesAsByHand(const std::string& run, const std::string& quantized, const Ranges& ranges = {}) {
    EXPECT_EQ(Loss(quantized), LossByHand(run, ranges));
    EXPECT_EQ(Sample(quantized), SampleByHand(run, ranges));
  }
};

TEST_F(QuantizeTest, CommandsComputeWithBytes) {
  TrainDense();
  const double dense = Loss("dense");
  const std::map<std::string, std::string> patterns = {{"", "dense"},
                                                       {"transposable:2:4", "2:4 both ways"},
                                                       {"2:4", "2:4 along rows"},
                                                       {"16:2:8", "16:2:8"},
                                                       {"4:8", "4:8 along rows"},
                                                       {"unstructured:0.5", "unstructured"}};
  for (const auto& [pattern, name] : patterns) {
    SCOPED_TRACE(name);
    const std::string run = pattern.empty() ? "dense" : "pruned" + pattern, out = "int8" + pattern;
    if (!pattern.empty()) Prune(run, pattern);
    const Outcome outcome = Quantize(run, out);
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_THAT(outcome.out, AllOf(HasSubstr("bytes of the 12 linears' weights: "), HasSubstr("loss: ")));
    ExpectComputesAsByHand(run, out);
    EXPECT_NEAR(Loss(out), pattern.empty() ? dense : Loss(run), 0.02);
    const JsonDocument document = Report(out);
    const JsonValue report = document.root();
    EXPECT_EQ(report.Find("loss_after")->number(), Loss(out));
    // Masked weights and packed ones may be added up in different orders.
    EXPECT_NEAR(report.Find("loss_before")->number(), Loss(run), 1e-5);
    const std::vector<JsonValue> linears = report.Find("linears")->elements();
    ASSERT_EQ(linears.size(), kLinears);
    for (const JsonValue& linear : linears) {
      EXPECT_EQ(linear.Find("pattern")->string(), name);
      EXPECT_LT(linear.Find("output_error")->number(), 0.05);
      EXPECT_GT(linear.Find("output_error")->number(), 0);
    }
    EXPECT_EQ(Run({"inspect", Path(out)}).code, 0);
  }
}

TEST_F(QuantizeTest, CalibrationGivesEachLinearOneRange) {
  TrainDense();
  const Outcome outcome = Quantize("dense", "out", {"--calibration", "--samples", "12", "--seed", "3"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  // The same batches by hand: those that a seed's calibration has.
  TrainedRun trained = LoadTrainedRun(Path("dense"));
  Workload workload = BuildWorkload(trained.config);
  GiveWeights(trained, *workload.model);
  RangeObserver observer;
  {
    const NoGradGuard no_grad;
    const nn::ForwardObserverScope scope(observer);
    for (uint64_t batch = 0; batch < 3; ++batch) workload.task->Loss(3'000'000 + batch);
  }
  Ranges ranges;
  const SafetensorsFile file = Read("out");
  workload.model->VisitModules([&](const std::string& name, nn::Module& module) {
    const auto range = observer.ranges.find(&module);
    if (range == observer.ranges.end() || name == "lm_head") return;
    const auto [least, largest] = range->second;
    const float scale = *file.Find(name + ".input_scale")->data<float>();
    const int zero_point = *file.Find(name + ".input_zero_point")->data<int8_t>() + 128;
    EXPECT_NEAR(scale, (largest - least) / 255, 1e-6 * scale) << name;
    EXPECT_NEAR(zero_point, -least / scale, 0.51) << name;
    ranges[name] = {scale, zero_point};
  });
  EXPECT_EQ(ranges.size(), kLinears);
  ExpectComputesAsByHand("dense", "out", ranges);
  EXPECT_NEAR(Loss("out"), Loss("dense"), 0.02);
  const proto::Quantization record = LoadTextConfig((dir_ / "out/config.pbtxt").string()).quantization();
  EXPECT_EQ(record.weights(), "int8");
  EXPECT_EQ(record.activations(), "int8");
  EXPECT_EQ(record.range(), "tensor");
  EXPECT_EQ(record.samples(), 12);
  EXPECT_EQ(record.seed(), 3);
  EXPECT_EQ(record.run(), Path("dense"));
}

TEST_F(QuantizeTest, InputsMayStayFloats) {
  TrainDense();
  Prune("pruned", "2:4");
  Prune("vnm", "16:2:8");
  for (const std::string run : {"dense", "pruned", "vnm"}) {
    SCOPED_TRACE(run);
    const std::string out = run + "_int8";
    ASSERT_EQ(Quantize(run, out, {"--activations", "none"}).code, 0);
    // The numbers that the bytes stand for, in the dense model.
    TrainedRun trained = LoadTrainedRun(Path(run));
    Workload workload = BuildWorkload(trained.config);
    GiveWeights(trained, *workload.model);
    nn::SwapSemiSparseLinearWithLinear(*workload.model, true);
    workload.model->VisitModules([&](const std::string& name, nn::Module& module) {
      const auto* const linear = dynamic_cast<const nn::Linear*>(&module);
      if (linear == nullptr || name == "lm_head") return;
      Tensor weight = linear->weight();
      for (int64_t row = 0; row < weight.dim(0); ++row) {
        float* const w = weight.mutable_data<float>() + row * weight.dim(1);
        float largest = 0;
        for (int64_t col = 0; col < weight.dim(1); ++col) largest = std::max(largest, std::fabs(w[col]));
        for (int64_t col = 0; col < weight.dim(1); ++col) {
          w[col] = largest == 0 ? 0 : std::nearbyint(w[col] / (largest / 127)) * (largest / 127);
        }
      }
    });
    const NoGradGuard no_grad;
    EXPECT_NEAR(Loss(out), workload.task->EvaluateUnless(nullptr)->loss, 1e-5);
    EXPECT_EQ(Run({"sample", "--run", Path(out), "--tokens", "3"}).code, 0);
    EXPECT_EQ(Run({"evaluate", "--run", Path(out), "--precision", "BF16"}).code, 0);
  }
}

TEST_F(QuantizeTest, ThreadsMakeNoDifference) {
  TrainDense();
  Prune("pruned", "transposable:2:4");
  for (const std::string threads : {"1", "2"}) {
    ASSERT_EQ(Quantize("pruned", "out" + threads, {"--threads", threads, "--calibration", "--smooth", "0.5"}).code, 0);
  }
  EXPECT_EQ(ReadTextFile(ModelFile("out1")), ReadTextFile(ModelFile("out2")));
  std::vector<double> losses;
  for (const std::string threads : {"1", "2"}) {
    const Outcome outcome = Run({"evaluate", "--run", Path("out1"), "--threads", threads, "--json"});
    losses.push_back(JsonDocument::Parse(outcome.out, "evaluate").root().Find("loss")->number());
  }
  EXPECT_EQ(losses[0], losses[1]);
  EXPECT_EQ(Report("out1").root().Find("loss_after")->number(), losses[0]);
}

TEST_F(QuantizeTest, SmoothingMovesRangesIntoWeights) {
  TrainDense();
  const Outcome outcome = Quantize("dense", "out", {"--smooth", "0.5"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("not smoothed, because no norm with a weight comes before them: "
                                     "transformer.h.0.attn.c_proj, transformer.h.0.mlp.c_proj"));
  const JsonDocument document = Report("out");
  for (const JsonValue& linear : document.root().Find("linears")->elements()) {
    EXPECT_EQ(linear.Find("smoothed")->boolean(), !linear.Find("name")->string().ends_with("c_proj"));
  }
  // Norm and weight changed together: what one lost, the other has.
  const SafetensorsFile before = Read("dense"), after = Read("out");
  const float* const norm = before.Find("transformer.h.0.ln_2.weight")->data<float>();
  const float* const bias = before.Find("transformer.h.0.ln_2.bias")->data<float>();
  const float* const new_norm = after.Find("transformer.h.0.ln_2.weight")->data<float>();
  const float* const new_bias = after.Find("transformer.h.0.ln_2.bias")->data<float>();
  const Tensor weight = *before.Find(std::string(kFc) + ".weight"), rounded = *after.Find(std::string(kFc) + ".weight");
  const float* const scales = after.Find(std::string(kFc) + ".weight_scale")->data<float>();
  double most = 0;
  for (int64_t col = 0; col < 32; ++col) {
    const float factor = norm[col] / new_norm[col];
    most = std::max<double>(most, std::fabs(factor - 1));
    EXPECT_NEAR(bias[col] / factor, new_bias[col], 1e-5 * std::fabs(new_bias[col]));
    for (int64_t row = 0; row < 128; ++row) {
      EXPECT_NEAR(weight.data<float>()[row * 32 + col] * factor, rounded.data<int8_t>()[row * 32 + col] * scales[row],
                  0.51 * scales[row]);
    }
  }
  EXPECT_GT(most, 0.1);
  EXPECT_NEAR(Loss("out"), Loss("dense"), 0.02);
  EXPECT_EQ(LoadTextConfig((dir_ / "out/config.pbtxt").string()).quantization().smooth(), 0.5);
}

TEST_F(QuantizeTest, OtherLinearsStayAsTheyAre) {
  TrainDense();
  ASSERT_EQ(Quantize("dense", "out", {"--include", ".*", "--exclude", ".*c_proj"}).code, 0);
  const SafetensorsFile file = Read("out");
  EXPECT_EQ(file.Find("lm_head.weight")->dtype(), DType::kI8);
  EXPECT_EQ(file.Find("transformer.wte.weight")->dtype(), DType::kF32);
  EXPECT_EQ(file.Find("transformer.h.0.mlp.c_proj.weight")->dtype(), DType::kF32);
  EXPECT_NEAR(Loss("out"), Loss("dense"), 0.02);
  ASSERT_EQ(Quantize("dense", "usual", {"--skip-evaluation", "--skip-output-errors"}).code, 0);
  EXPECT_EQ(Read("usual").Find("lm_head.weight")->dtype(), DType::kF32);
  const JsonDocument report = Report("usual");
  EXPECT_EQ(report.root().Find("loss_after"), std::nullopt);
  EXPECT_EQ(report.root().Find("linears")->elements()[0].Find("output_error"), std::nullopt);
}

TEST_F(QuantizeTest, AnExcludeThatFindsNothingIsTold) {
  TrainDense();
  const std::vector<std::string> quick = {"--skip-evaluation", "--skip-output-errors"};
  const Outcome outcome = Quantize("dense", "all", Joined(quick, {"--exclude", "c_fc"}));
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("--exclude c_fc: no linear has such a name; names must match as a whole"));
  EXPECT_EQ(Quantize("dense", "some", Joined(quick, {"--exclude", ".*c_fc"})).err, "");
}

TEST_F(QuantizeTest, OtherCommandsReadSuchRuns) {
  TrainDense();
  Prune("pruned", "transposable:2:4");
  ASSERT_EQ(Quantize("pruned", "out").code, 0);
  const Outcome inspected = Run({"inspect", Path("out")});
  EXPECT_THAT(inspected.out, AllOf(HasSubstr("I8"), HasSubstr("(packed 2:4, 0.")));
  const Outcome reported = Run({"report", Path("dense"), Path("out"), "--out", Path("report.html")});
  EXPECT_EQ(reported.code, 0) << reported.err;
  EXPECT_THAT(ReadTextFile(dir_ / "report.html"), HasSubstr("weights int8, inputs int8"));
  // What is exported are the floats that bytes stand for.
  ASSERT_EQ(Run({"export", "--run", Path("out"), "-o", Path("masked.safetensors")}).code, 0);
  const SafetensorsFile exported = LoadSafetensors(FileSystem::Default(), dir_ / "masked.safetensors");
  SafetensorsFile stored = Read("out");
  DequantizeTensors(stored, "out");
  for (const NamedTensor& named : stored.tensors) {
    const Tensor* const same = exported.Find(named.name);
    ASSERT_NE(same, nullptr) << named.name;
    EXPECT_TRUE(
        std::equal(named.tensor.data<float>(), named.tensor.data<float>() + named.tensor.numel(), same->data<float>()))
        << named.name;
  }
  // The report is a file of the run, which goes when another run takes its place.
  const auto report = dir_ / "replaced/quantization.json";
  ASSERT_EQ(Quantize("pruned", "replaced", {"--skip-evaluation", "--skip-output-errors"}).code, 0);
  EXPECT_TRUE(fs::exists(report));
  ASSERT_EQ(TrainOnText("replaced", {"--overwrite"}).code, 0);
  EXPECT_FALSE(fs::exists(report));
  EXPECT_EQ(Run({"export", "--run", Path("out"), "--format", "packed", "-o", Path("p.safetensors")}).code, 0);
  EXPECT_EQ(Run({"sample", "--run", Path("pruned"), "--weights", Path("out/model.safetensors"), "--tokens", "3"}).code,
            0);
}

}  // namespace
}  // namespace twofour::train
