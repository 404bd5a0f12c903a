#include "twofour/train/program/config/quantized_run.h"

#include <fmt/format.h>

#include <memory>
#include <utility>

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

/// Throws Error unless the record is one that `trainer quantize` writes.
void RequireKnown(const proto::Quantization& record, const std::string& source) {
  const auto expect = [&](bool holds, const char* field, const std::string& given, const char* expected) {
    if (holds) return;
    throw Error(fmt::format("{}: quantization.{}: {}, expected {}", source, field, QuoteForMessage(given), expected));
  };
  const std::string &activations = record.activations(), &range = record.range();
  expect(record.weights() == "int8", "weights", record.weights(), "int8");
  expect(activations == "int8" || activations == "none", "activations", activations, "int8 or none");
  expect(activations == "none" ? range.empty() : range == "token" || range == "tensor", "range", range,
         activations == "none" ? "none without activations" : "token or tensor");
}

Tensor AsFloats(const Tensor& tensor) { return IsFloating(tensor.dtype()) ? tensor.To(DType::kF32) : tensor; }

/// The weight for products of floats: its bytes as they are where they have kernels, and else floats. Null where the
/// dense weight is as good. This alone decides what becomes of
/// weights whose inputs are not rounded.
std::shared_ptr<const sparse::InferenceWeight> FloatWeight(const QuantizedLinear& linear, DType values,
                                                           const std::string& source) {
  const QuantizedWeight& weight = linear.weight;
  const std::string name = linear.name + ".weight";
  if (sparse::HasLowBitForm(weight.format)) {
    const auto parts = sparse::LowBitPartsOf(weight.matrix, weight.mask, weight.format, name);
    return std::make_shared<const sparse::LowBitWeight>(parts, name);
  }
  if (FormOf(weight) == WeightForm::kDense) return nullptr;
  const Tensor floats = Dequantize(weight);
  RequireFiniteTensors(source, {{name, floats}});
  return sparse::PackForInference(floats, weight.mask, weight.format, values, name);
}

}  // namespace

void RequireNotQuantized(const proto::Config& config, const std::string& source) {
  if (!config.has_quantization()) return;
  const std::string& run = config.quantization().run();
  throw Error(fmt::format("{}: has quantization: weights of 8 bits are for inference alone; expected {}", source,
                          run.empty() ? "a run of floats" : "the run that they are of, " + run));
}

void TakeQuantizedWeights(SafetensorsFile& file, TrainedRun& run) {
  const std::string source = run.source.string();
  if (!run.config.has_quantization()) return RequireNoQuantizedWeights(file, source);
  const proto::Quantization& record = run.config.quantization();
  RequireKnown(record, RunFiles{run.path.folder}.config().string());
  run.quantized = TakeQuantizedLinears(file, source);
  if (run.quantized.empty()) {
    throw Error(fmt::format("{}: holds no weights of 8 bits, expected those of a quantised run", source));
  }
  const bool ranges = record.range() == "tensor";
  for (const QuantizedLinear& linear : run.quantized) {
    if (linear.weight.activation.has_value() == ranges) continue;
    throw Error(fmt::format("{}: tensor {}: {}, expected {} because of the config's quantization", source,
                            QuoteForMessage(linear.name + ".weight"),
                            ranges ? "has no range of inputs" : "has a range of inputs", ranges ? "one" : "none"));
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
    const QuantizedWeight& weight = linear.weight;
    nn::PackedLinear packed{.name = linear.name, .weight = nullptr};
    packed.weight =
        bytes ? std::make_shared<const sparse::Int8Weight>(weight.matrix, weight.mask, weight.format, weight.activation)
              : FloatWeight(linear, values, source);
    if (linear.bias.defined()) {
      packed.bias = AsFloats(linear.bias);
      if (packed.bias.dtype() == DType::kF32) RequireFiniteTensors(source, {{linear.name + ".bias", packed.bias}});
    }
    if (packed.weight != nullptr) {
      run.packed.push_back(std::move(packed));
    } else {
      run.tensors.push_back({linear.name + ".weight", Dequantize(weight)});
      if (packed.bias.defined()) run.tensors.push_back({linear.name + ".bias", packed.bias});
    }
    linear.weight = {};  // A large model should not be in memory twice.
  }
  run.quantized.clear();
}

}  // namespace twofour::train
