#include "twofour/train/metrics.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "twofour/core/error.h"
#include "twofour/core/io/text.h"

namespace twofour::train {
namespace {

constexpr uint64_t kMaxMetricsBytes = uint64_t{1} << 32;

using Json = nlohmann::ordered_json;

}  // namespace

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

JsonLinesSink::JsonLinesSink(const std::filesystem::path& path) : file_(path) {}

void JsonLinesSink::OnTrain(const TrainMetrics& metrics) {
  Json record{{"step", metrics.step},           {"split", "train"},
              {"loss", metrics.loss},           {"lr", metrics.lr},
              {"grad_norm", metrics.grad_norm}, {fmt::format("{}_per_s", metrics.unit), metrics.units_per_s}};
  if (metrics.mfu > 0) record[metrics.mfu_is_rough ? "mfu_rough" : "mfu"] = metrics.mfu;
  file_.Append(record.dump() + "\n");
}

void JsonLinesSink::OnEval(const EvalMetrics& metrics) {
  Json record{{"step", metrics.step}, {"split", "eval"}, {"loss", metrics.loss}};
  for (const auto& [name, value] : metrics.details) record[name] = value;
  file_.Append(record.dump() + "\n");
}

void JsonLinesSink::OnSparsity(const SparsityMetrics& metrics) {
  file_.Append(Json{{"step", metrics.step},
                    {"split", "sparsity"},
                    {"layer", metrics.layer},
                    {"retained_l1", metrics.retained_l1},
                    {"flip_rate", metrics.flip_rate},
                    {"activation_density", metrics.activation_density},
                    {"sparsity", metrics.sparsity},
                    {"tiles_keeping_seven", metrics.tiles_keeping_seven},
                    {"dead_rows", metrics.dead_rows},
                    {"dead_columns", metrics.dead_columns},
                    {"masked_gradient_share", metrics.masked_gradient_share}}
                   .dump() +
               "\n");
}

void JsonLinesSink::OnActivation(const ActivationMetrics& metrics) {
  file_.Append(
      Json{{"step", metrics.step}, {"split", "activation"}, {"layer", metrics.layer}, {"density", metrics.density}}
          .dump() +
      "\n");
}

void JsonLinesSink::OnFinal(const FinalMetrics& metrics) {
  file_.Append(Json{{"step", metrics.step},
                    {"split", "final"},
                    {"model_step", metrics.model_step},
                    {"best_step", metrics.best_step},
                    {"best_loss", metrics.best_loss},
                    {"stopped_early", metrics.stopped_early}}
                   .dump() +
               "\n");
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
    if (newline == std::string::npos) {  // By a kill.
      read.torn = true;
      break;
    }
    const std::string line = text.substr(begin, newline - begin);
    begin = newline + 1;
    const Json record = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!record.is_object() || !record.contains("step") || !record["step"].is_number_integer()) {
      throw Error(
          fmt::format("{}:{}: not a metrics record, expected a JSON object with a step", path.string(), line_number));
    }
    const auto at = record["step"].get<int64_t>();
    const std::string split = record.contains("split") && record["split"].is_string() ? record["split"] : "";
    // A run that goes on has not come to its end.
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
