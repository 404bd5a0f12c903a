#include "twofour/train/program/prune/sensitivity_file.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/core/faults.h"
#include "twofour/core/io/json.h"
#include "twofour/core/io/json_fields.h"
#include "twofour/core/io/text.h"
#include "twofour/train/program/prune/pattern_kind.h"

namespace twofour::train {
namespace {

constexpr uint64_t kMaxBytes = 64 << 20;
constexpr size_t kMaxName = 1024;
constexpr int kMaxDepth = 6;  // An object that holds an array of objects that hold arrays of objects.

JsonObject ToJson(const LinearSensitivity& linear, double dense_loss) {
  std::vector<JsonObject> points;
  for (const LossOfLevel& level : linear.levels) {
    JsonObject& point = points.emplace_back();
    point.Set("pattern", level.pattern.ToString()).Set("level", level.pattern.Sparsity());
    point.Set("sparsity", level.sparsity).Set("loss", level.loss).Set("increase", level.loss - dense_loss);
  }
  JsonObject json;
  json.Set("name", linear.name).Set("out_features", linear.out_features).Set("in_features", linear.in_features);
  return json.Set("points", points);
}

/// The number of features of a linear.
int64_t SizeOf(const JsonFields& linear, const char* key) {
  const JsonValue value = linear.Get(key);
  if (!value.is_unsigned() || value.unsigned_integer() < 1 || value.unsigned_integer() > uint64_t{kMaxFeatures}) {
    linear.Fail(fmt::format("{}: {}, expected 1 to {}", key, value.ToText(), kMaxFeatures));
  }
  return value.integer();
}

/// The points up to the first whose loss is not finite.
sparse::SensitivityCurve ReadCurve(const JsonFields& linear, const std::string& where, double dense_loss) {
  sparse::SensitivityCurve curve;
  const std::vector<JsonValue> points = linear.List("points");
  for (size_t i = 0; i < points.size(); ++i) {
    const JsonFields point(points[i], fmt::format("{}: point {}", where, i));
    if (point.Get("loss").is_null()) break;
    curve.push_back({.sparsity = point.Number("level"), .loss = point.Number("loss") - dense_loss});
  }
  if (curve.empty() && !points.empty()) {
    linear.Fail("the loss of its lowest level is not finite, expected lower levels");
  }
  return curve;
}

}  // namespace

std::string Crc32cText(uint32_t crc32c) { return fmt::format("{:08x}", crc32c); }

std::string ToJson(const Sensitivity& sensitivity) {
  std::vector<double> levels;
  for (const sparse::PruningPattern& pattern : sensitivity.patterns) levels.push_back(pattern.Sparsity());
  std::vector<JsonObject> linears, dense;
  for (const LinearSensitivity& linear : sensitivity.linears) {
    linears.push_back(ToJson(linear, sensitivity.dense_loss));
  }
  for (const nn::SwapEntry& entry : sensitivity.kept_dense) {
    dense.emplace_back().Set("name", entry.name).Set("reason", entry.reason);
  }
  JsonObject weights, json;
  weights.Set("file", sensitivity.weights).Set("bytes", sensitivity.weights_checksum.bytes);
  weights.Set("crc32c", Crc32cText(sensitivity.weights_checksum.crc32c));
  json.Set("run", sensitivity.run).Set("weights", weights).Set("method", sensitivity.method);
  json.Set("pattern", KindText(sensitivity.kind)).Set("levels", levels);
  json.Set("samples", sensitivity.samples).Set("seed", sensitivity.seed);
  json.Set("include", sensitivity.include).Set("exclude", sensitivity.exclude);
  json.Set("multiple_of", sensitivity.multiple_of);
  json.Set("dense_loss", sensitivity.dense_loss).Set("linears", linears).Set("kept_dense", dense);
  return json.ToTextReplacing(/*indent=*/2) + "\n";
}

SensitivityCurves ParseSensitivity(std::string_view text, const std::string& source) {
  const JsonChecks checks{.on_begin = [&source](int depth, bool /*is_array*/) {
    if (depth > kMaxDepth) throw Error(fmt::format("{}: is nested too deeply", source));
  }};
  const JsonDocument document = JsonDocument::Parse(text, source, checks);
  const JsonFields fields(document.root(), source);
  SensitivityCurves read{.source = source, .run = fields.TextIfAny("run"), .method = fields.TextIfAny("method")};
  if (const auto weights = document.root().Find("weights")) {
    read.weights_crc32c = JsonFields(*weights, source + ": weights").TextIfAny("crc32c");
  }
  const std::string pattern = fields.Text("pattern");
  if (!ReadPatternKind(pattern)) {
    fields.Fail(
        fmt::format("pattern: {}, expected {}", JsonStringInAscii(pattern.substr(0, kMaxName)), ExpectedPatternKind()));
  }
  read.kind = ParsePatternKind(pattern, source + ": pattern");
  const double dense_loss = fields.Number("dense_loss");
  const std::vector<JsonValue> linears = fields.List("linears");
  if (linears.empty()) fields.Fail("linears: none, expected at least one");
  std::set<std::string> names;
  for (size_t i = 0; i < linears.size(); ++i) {
    const std::string name = JsonFields(linears[i], fmt::format("{}: linear {}", source, i)).Text("name");
    if (name.size() > kMaxName)
      fields.Fail(fmt::format("linear {}: a name of {} bytes, expected at most {}", i, name.size(), kMaxName));
    // The name may hold anything, and the message is one line.
    const std::string shown = JsonStringInAscii(name), where = fmt::format("{}: {}", source, shown);
    const JsonFields linear(linears[i], where);
    if (!names.insert(name).second) linear.Fail("is there twice");
    read.layers.push_back(
        {.name = name, .rows = SizeOf(linear, "out_features"), .cols = SizeOf(linear, "in_features")});
    read.curves.push_back(ReadCurve(linear, where, dense_loss));
    Faults faults(source + ": ");
    CheckCurve(read.curves.back(), shown, faults);
    faults.ThrowFirst();
  }
  return read;
}

SensitivityCurves LoadSensitivity(FileSystem& files, const std::filesystem::path& path) {
  return ParseSensitivity(ReadOwnText(files, path, kMaxBytes), path.string());
}

std::vector<sparse::SensitivityCurve> CurvesOf(const SensitivityCurves& file,
                                               std::span<const sparse::LayerShape> layers) {
  std::map<std::string_view, size_t> places;
  for (size_t i = 0; i < file.layers.size(); ++i) places[file.layers[i].name] = i;
  std::vector<sparse::SensitivityCurve> curves;
  for (const auto& [name, rows, cols] : layers) {
    const auto found = places.find(name);
    if (found == places.end()) {
      throw Error(fmt::format("{}: has no linear {}, expected each that is pruned", file.source, name));
    }
    const sparse::LayerShape& layer = file.layers[found->second];
    if (layer.rows != rows || layer.cols != cols) {
      throw Error(fmt::format("{}: {} is [{}, {}], expected [{}, {}] as in the model", file.source, name, layer.rows,
                              layer.cols, rows, cols));
    }
    curves.push_back(file.curves[found->second]);
  }
  return curves;
}

}  // namespace twofour::train
