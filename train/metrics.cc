#include "twofour/train/metrics.h"

#include <fmt/format.h>

#include "twofour/core/error.h"
#include "twofour/core/io/json.h"
#include "twofour/core/io/text.h"

namespace twofour::train {
namespace {

constexpr uint64_t kMaxMetricsBytes = uint64_t{1} << 32;

void SetTrainingSeconds(const std::optional<double>& seconds, JsonObject& record) {
  if (seconds) record.Set("training_seconds", *seconds);
}

}  // namespace

void TeeSink::Add(MetricSink* sink) {
  if (sink == nullptr) throw Error("TeeSink: the sink is null, expected one");
  sinks_.push_back(sink);
}

void TeeSink::OnTrain(const TrainMetrics& metrics) {
  for (MetricSink* sink : sinks_) sink->OnTrain(metrics);
}

void TeeSink::OnEval(const EvalMetrics& metrics) {
  for (MetricSink* sink : sinks_) sink->OnEval(metrics);
}

void TeeSink::OnSparsity(const SparsityMetrics& metrics) {
  for (MetricSink* sink : sinks_) sink->OnSparsity(metrics);
}

void TeeSink::OnActivation(const ActivationMetrics& metrics) {
  for (MetricSink* sink : sinks_) sink->OnActivation(metrics);
}

void TeeSink::OnFinal(const FinalMetrics& metrics) {
  for (MetricSink* sink : sinks_) sink->OnFinal(metrics);
}

void TeeSink::OnTensor(const TensorMetrics& metrics) {
  for (MetricSink* sink : sinks_) sink->OnTensor(metrics);
}

JsonLinesSink::JsonLinesSink(FileSystem& files, const std::filesystem::path& path)
    : file_(files.OpenForAppending(path)) {}

void JsonLinesSink::OnTrain(const TrainMetrics& metrics) {
  JsonObject record;
  record.Set("step", metrics.step).Set("split", "train").Set("loss", metrics.loss);
  for (const auto& [name, value] : metrics.details) record.Set(name, value);
  record.Set("lr", metrics.lr);
  record.Set("grad_norm", metrics.grad_norm).Set(fmt::format("{}_per_s", metrics.unit), metrics.units_per_s);
  if (metrics.mfu > 0) record.Set(metrics.mfu_is_rough ? "mfu_rough" : "mfu", metrics.mfu);
  SetTrainingSeconds(metrics.training_seconds, record);
  file_->Append(record.ToText() + "\n");
}

void JsonLinesSink::OnEval(const EvalMetrics& metrics) {
  JsonObject record;
  record.Set("step", metrics.step).Set("split", "eval").Set("loss", metrics.loss);
  for (const auto& [name, value] : metrics.details) record.Set(name, value);
  SetTrainingSeconds(metrics.training_seconds, record);
  file_->Append(record.ToText() + "\n");
}

void JsonLinesSink::OnSparsity(const SparsityMetrics& metrics) {
  JsonObject record;
  record.Set("step", metrics.step).Set("split", "sparsity").Set("layer", metrics.layer);
  record.Set("retained_l1", metrics.retained_l1).Set("flip_rate", metrics.flip_rate);
  record.Set("activation_density", metrics.activation_density).Set("sparsity", metrics.sparsity);
  record.Set("tiles_keeping_seven", metrics.tiles_keeping_seven);
  record.Set("dead_rows", metrics.dead_rows).Set("dead_columns", metrics.dead_columns);
  record.Set("masked_gradient_share", metrics.masked_gradient_share);
  if (metrics.column_flip_rate) record.Set("column_flip_rate", *metrics.column_flip_rate);
  file_->Append(record.ToText() + "\n");
}

void JsonLinesSink::OnActivation(const ActivationMetrics& metrics) {
  JsonObject record;
  record.Set("step", metrics.step).Set("split", "activation").Set("layer", metrics.layer);
  record.Set("density", metrics.density);
  file_->Append(record.ToText() + "\n");
}

void JsonLinesSink::OnFinal(const FinalMetrics& metrics) {
  JsonObject record;
  record.Set("step", metrics.step).Set("split", "final").Set("model_step", metrics.model_step);
  record.Set("best_step", metrics.best_step).Set("best_loss", metrics.best_loss);
  record.Set("stopped_early", metrics.stopped_early);
  record.Set("compared_from", metrics.compared_from);
  if (metrics.sparsity) record.Set("sparsity", *metrics.sparsity);
  file_->Append(record.ToText() + "\n");
}

void JsonLinesSink::OnResumed(int64_t step, const std::vector<std::string>& changes) {
  JsonObject record;
  record.Set("step", step).Set("split", "resumed").Set("changes", changes);
  file_->Append(record.ToTextReplacing() + "\n");  // A path may be any bytes.
}

MetricsUpTo ReadMetricsUpTo(const std::filesystem::path& path, int64_t step, bool evaluation_pending) {
  FileSystem& files = FileSystem::Default();
  MetricsUpTo read;
  if (!files.Exists(path)) return read;
  const std::string text = ReadOwnText(files, path, kMaxMetricsBytes);
  int64_t line_number = 0;
  for (size_t begin = 0; begin < text.size();) {
    ++line_number;
    const size_t newline = text.find('\n', begin);
    if (newline == std::string::npos) {  // Its writer was killed.
      read.torn = true;
      break;
    }
    const std::string line = text.substr(begin, newline - begin);
    begin = newline + 1;
    const std::optional<JsonDocument> record = JsonDocument::TryParse(line);
    const std::optional<JsonValue> step_of = record ? record->root().Find("step") : std::nullopt;
    if (!step_of || !step_of->is_integer()) {
      throw Error(
          fmt::format("{}:{}: not a metrics record, expected a JSON object with a step", path.string(), line_number));
    }
    const int64_t at = step_of->integer();
    const std::optional<JsonValue> split_of = record->root().Find("split");
    const std::string split = split_of && split_of->is_string() ? split_of->string() : "";
    // A run that continues has not ended, so its final record counts as later.
    const bool is_made_again = split == "final" || (evaluation_pending && at == step && split == "eval");
    if (at > step || is_made_again) {
      ++read.later;
    } else {
      read.text += line + "\n";
    }
  }
  return read;
}

bool TruncateMetrics(const std::filesystem::path& path, int64_t step, bool evaluation_pending) {
  const MetricsUpTo metrics = ReadMetricsUpTo(path, step, evaluation_pending);
  if (metrics.torn || metrics.later > 0) WriteTextAtomically(FileSystem::Default(), path, metrics.text);
  return metrics.torn;
}

}  // namespace twofour::train
