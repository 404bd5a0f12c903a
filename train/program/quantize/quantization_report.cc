#include "twofour/train/program/quantize/quantization_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "twofour/core/io/json.h"
#include "twofour/core/io/text.h"
#include "twofour/train/program/prune/aligned_columns.h"
#include "twofour/train/program/prune/pruning_message.h"

namespace twofour::train {
namespace {

/// Before and after.
std::pair<uint64_t, uint64_t> BytesOf(const QuantizedRun& quantized) {
  std::pair<uint64_t, uint64_t> bytes;
  for (const QuantizedLinearReport& linear : quantized.linears) {
    bytes.first += linear.bytes_before;
    bytes.second += linear.bytes_after;
  }
  return bytes;
}

/// A number that JSON can hold, or nothing.
void SetIfFinite(JsonObject& json, std::string_view name, const std::optional<double>& value) {
  if (value && std::isfinite(*value)) json.Set(name, *value);
}

JsonObject ToJson(const QuantizedLinearReport& linear) {
  JsonObject json;
  json.Set("name", linear.name).Set("out_features", linear.out_features).Set("in_features", linear.in_features);
  json.Set("pattern", linear.pattern).Set("form", linear.form);
  json.Set("bytes_before", linear.bytes_before).Set("bytes_after", linear.bytes_after);
  json.Set("smoothed", linear.smoothed);
  SetIfFinite(json, "output_error", linear.output_error);
  return json;
}

}  // namespace

std::string ToLines(const QuantizedRun& quantized) {
  std::vector<std::vector<std::string>> rows = {{"linear", "shape", "pattern", "bytes", "before", "output error"}};
  for (const QuantizedLinearReport& linear : quantized.linears) {
    rows.push_back({linear.name, fmt::format("[{}, {}]", linear.out_features, linear.in_features), linear.pattern,
                    fmt::format("{}", linear.bytes_after), fmt::format("{}", linear.bytes_before),
                    linear.output_error ? fmt::format("{:.4f}", *linear.output_error) : "-"});
  }
  std::string text = AlignedColumns(rows, 3);
  const auto [before, after] = BytesOf(quantized);
  text += fmt::format("bytes of the {} linears' weights: {}, before {} ({:.3f} of them)\n", quantized.linears.size(),
                      after, before, static_cast<double>(after) / static_cast<double>(std::max<uint64_t>(before, 1)));
  if (quantized.loss_before && quantized.loss_after) {
    text += fmt::format("loss: {:.4f}, before {:.4f}\n", *quantized.loss_after, *quantized.loss_before);
  }
  return text;
}

void SaveQuantizationReport(FileSystem& files, const std::filesystem::path& path, const QuantizeRequest& request,
                            const QuantizedRun& quantized) {
  JsonObject json;
  json.Set("run", request.run);
  if (request.checkpoint) json.Set("checkpoint", *request.checkpoint);
  json.Set("source_weights", quantized.weights);
  proto::Quantization record = quantized.record;
  record.clear_run();  // Here it is as it was given.
  AddTo(json, record);
  SetIfFinite(json, "loss_before", quantized.loss_before);
  SetIfFinite(json, "loss_after", quantized.loss_after);
  const auto [before, after] = BytesOf(quantized);
  json.Set("bytes_before", before).Set("bytes_after", after);
  std::vector<JsonObject> linears, kept;
  for (const QuantizedLinearReport& linear : quantized.linears) linears.push_back(ToJson(linear));
  for (const nn::SwapEntry& entry : quantized.kept)
    kept.emplace_back().Set("name", entry.name).Set("reason", entry.reason);
  json.Set("linears", linears).Set("kept", kept).Set("notes", quantized.notes);
  WriteText(files, path, json.ToTextReplacing(2) + "\n");
}

}  // namespace twofour::train
