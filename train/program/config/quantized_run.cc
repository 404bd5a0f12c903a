#include "twofour/train/program/config/quantized_run.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <optional>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/quote_for_message.h"
#include "twofour/sparse/inference_packing.h"
#include "twofour/sparse/int8_weight.h"
#include "twofour/sparse/low_bit_weight.h"
#include "twofour/train/exchange/quantized_weights.h"
#include "twofour/train/finite_check.h"
#include "twofour/train/run_files.h"

namespace twofour::train {
namespace {

/// The kind that weights are rounded to. Throws Error unless the record is one that `trainer quantize` writes.
sparse::LowBitKind RequireKnown(const proto::Quantization& record, const std::string& source) {
  const auto expect = [&](bool holds, const char* field, const std::string& given, const std::string& expected) {
    if (holds) return;
    throw Error(fmt::format("{}: quantization.{}: {}, expected {}", source, field, QuoteForMessage(given), expected));
  };
  const std::string &activations = record.activations(), &range = record.range();
  const std::optional<sparse::LowBitKind> kind = sparse::FindLowBitKind(record.weights());
  std::vector<std::string_view> names;
  for (const sparse::LowBitKindName& one : sparse::kLowBitKinds) names.push_back(one.name);
  expect(kind.has_value(), "weights", record.weights(), fmt::format("{}", fmt::join(names, " or ")));
  const bool may_round = TakesRoundedInputs(*kind);
  expect(activations == "none" || (may_round && activations == "int8"), "activations", activations,
         may_round ? "int8 or none" : fmt::format("none with weights of {}", NameOf(*kind)));
  expect(activations == "none" ? range.empty() : range == "token" || range == "tensor", "range", range,
         activations == "none" ? "none without activations" : "token or tensor");
  const double smooth = record.smooth();
  expect(smooth >= 0 && smooth <= 1, "smooth", fmt::format("{}", smooth), "0 to 1");
  expect(record.samples() >= 0, "samples", fmt::format("{}", record.samples()), "0 or more");
  expect(record.seed() >= 0, "seed", fmt::format("{}", record.seed()), "0 or more");
  return *kind;
}

Tensor AsFloats(const Tensor& tensor) { return IsFloating(tensor.dtype()) ? tensor.To(DType::kF32) : tensor; }

/// The weight for products of floats: its codes as they are where they have kernels, and else floats. Null where the
/// dense weight is as good. This alone decides what becomes of weights whose inputs are not rounded.
std::shared_ptr<const sparse::InferenceWeight> FloatWeight(const QuantizedLinear& linear, DType values,
                                                           const std::string& source) {
  const std::string name = linear.name + ".weight";
  if (const auto* const parts = std::get_if<sparse::LowBitParts>(&linear.weight)) {
    return std::make_shared<const sparse::LowBitWeight>(*parts, name);
  }
  const auto& weight = std::get<MaskedInt8Matrix>(linear.weight);
  if (sparse::HasLowBitForm(weight.format)) {
    const auto parts = sparse::LowBitPartsOf(weight.matrix, weight.mask, weight.format, name);
    return std::make_shared<const sparse::LowBitWeight>(parts, name);
  }
  if (FormOf(linear.weight) == WeightForm::kDense) return nullptr;
  const Tensor floats = Dequantize(linear.weight);
  RequireFiniteTensors(source, {{name, floats}});
  return sparse::PackForInference(floats, weight.mask, weight.format, values, name);
}

/// Whether the file has the range of all inputs of a linear.
bool HasRange(const QuantizedWeight& weight) {
  const auto* const bytes = std::get_if<MaskedInt8Matrix>(&weight);
  return bytes != nullptr && bytes->activation.has_value();
}

}  // namespace

bool TakesRoundedInputs(sparse::LowBitKind weights) { return weights == sparse::LowBitKind::kInt8; }

std::shared_ptr<const sparse::InferenceWeight> BytesWeight(const QuantizedWeight& weight) {
  const auto& [matrix, mask, format, activation] = std::get<MaskedInt8Matrix>(weight);
  return std::make_shared<const sparse::Int8Weight>(matrix, mask, format, activation);
}

void RequireNotQuantized(const proto::Config& config, const std::string& source) {
  if (!config.has_quantization()) return;
  const std::string& run = config.quantization().run();
  throw Error(fmt::format("{}: has quantization: weights of few bits are for inference alone; expected {}", source,
                          run.empty() ? "a run of floats" : "the run that they are of, " + run));
}

void TakeQuantizedWeights(SafetensorsFile& file, TrainedRun& run) {
  const std::string source = run.source.string();
  if (!run.config.has_quantization()) return RequireNoQuantizedWeights(file, source);
  const proto::Quantization& record = run.config.quantization();
  const sparse::LowBitKind kind = RequireKnown(record, RunFiles{run.path.folder}.config().string());
  run.quantized = TakeQuantizedLinears(file, source);
  if (run.quantized.empty()) {
    throw Error(fmt::format("{}: holds no weights of few bits, expected those of a quantised run", source));
  }
  const bool ranges = record.range() == "tensor";
  for (const QuantizedLinear& linear : run.quantized) {
    const auto fail = [&](const std::string& found, std::string_view expected) {
      throw Error(fmt::format("{}: tensor {}: {}, expected {} because of the config's quantization", source,
                              QuoteForMessage(linear.name + ".weight"), found, expected));
    };
    const sparse::LowBitKind found = KindOf(linear.weight);
    if (found != kind) fail(fmt::format("is of {}", NameOf(found)), NameOf(kind));
    if (HasRange(linear.weight) == ranges) continue;
    fail(ranges ? "has no range of inputs" : "has a range of inputs", ranges ? "one" : "none");
  }
}

void DequantizeWeights(TrainedRun& run) {
  for (QuantizedLinear& linear : run.quantized) {
    run.tensors.push_back({linear.name + ".weight", Dequantize(linear.weight)});
    if (linear.bias.defined()) run.tensors.push_back({linear.name + ".bias", AsFloats(linear.bias)});
  }
  run.quantized.clear();
}

void PlaceQuantizedWeights(TrainedRun& run, DType activations) {
  const bool bytes = run.config.quantization().activations() == "int8";
  const DType values = activations == DType::kBF16 ? DType::kBF16 : DType::kF32;
  const std::string source = run.source.string();
  for (QuantizedLinear& linear : run.quantized) {
    nn::PackedLinear packed{.name = linear.name, .weight = nullptr};
    packed.weight = bytes ? BytesWeight(linear.weight) : FloatWeight(linear, values, source);
    if (linear.bias.defined()) {
      packed.bias = AsFloats(linear.bias);
      if (packed.bias.dtype() == DType::kF32) RequireFiniteTensors(source, {{linear.name + ".bias", packed.bias}});
    }
    if (packed.weight != nullptr) {
      run.packed.push_back(std::move(packed));
    } else {
      run.tensors.push_back({linear.name + ".weight", Dequantize(linear.weight)});
      if (packed.bias.defined()) run.tensors.push_back({linear.name + ".bias", packed.bias});
    }
    linear.weight = {};  // A large model should not be in memory twice.
  }
  run.quantized.clear();
}

}  // namespace twofour::train
