#include "twofour/train/metrics.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

#include <nlohmann/json.hpp>

#include "twofour/core/error.h"
#include "twofour/core/io/text.h"

namespace twofour::train {
namespace {

constexpr uint64_t kMaxMetricsBytes = uint64_t{1} << 32;

using Json = nlohmann::ordered_json;

/// The lines of a metrics file up to a step.
struct MetricsUpTo {
  std::string text = {};
  bool later = false;  // There are others.
  bool torn = false;   // The last line is no whole one.
};

MetricsUpTo ReadUpTo(const std::filesystem::path& path, int64_t step) {
  FileSystem& files = FileSystem::Default();
  MetricsUpTo read;
  if (!files.Exists(path)) return read;
  const std::string text = ReadText(files, path, kMaxMetricsBytes);
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
    if (record["step"].get<int64_t>() > step) {
      read.later = true;
    } else {
      read.text += line + "\n";
    }
  }
  return read;
}

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

void TeeSink::OnTensor(const TensorMetrics& metrics) {
  for (MetricSink* sink : sinks_) sink->OnTensor(metrics);
}

JsonLinesSink::JsonLinesSink(const std::filesystem::path& path) : path_(path), file_(std::fopen(path.c_str(), "a")) {
  if (file_ == nullptr) {
    throw Error(fmt::format("cannot open {} for appending: {}", path.string(), std::strerror(errno)),
                ErrorKind::kRuntimeFailure);
  }
}

void JsonLinesSink::WriteLine(const std::string& line) {
  if (std::fputs((line + "\n").c_str(), file_.get()) < 0 || std::fflush(file_.get()) != 0) {
    throw Error(fmt::format("cannot write to {}: {}", path_.string(), std::strerror(errno)),
                ErrorKind::kRuntimeFailure);
  }
}

void JsonLinesSink::OnTrain(const TrainMetrics& metrics) {
  Json record{{"step", metrics.step},           {"split", "train"},
              {"loss", metrics.loss},           {"lr", metrics.lr},
              {"grad_norm", metrics.grad_norm}, {fmt::format("{}_per_s", metrics.unit), metrics.units_per_s}};
  if (metrics.mfu > 0) record[metrics.mfu_is_rough ? "mfu_rough" : "mfu"] = metrics.mfu;
  WriteLine(record.dump());
}

void JsonLinesSink::OnEval(const EvalMetrics& metrics) {
  Json record{{"step", metrics.step}, {"split", "eval"}, {"loss", metrics.loss}};
  for (const auto& [name, value] : metrics.details) record[name] = value;
  WriteLine(record.dump());
}

void JsonLinesSink::OnSparsity(const SparsityMetrics& metrics) {
  WriteLine(Json{{"step", metrics.step},
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
                .dump());
}

void JsonLinesSink::OnActivation(const ActivationMetrics& metrics) {
  WriteLine(
      Json{{"step", metrics.step}, {"split", "activation"}, {"layer", metrics.layer}, {"density", metrics.density}}
          .dump());
}

void CheckMetrics(const std::filesystem::path& path) { ReadUpTo(path, 0); }

bool TruncateMetrics(const std::filesystem::path& path, int64_t step) {
  const MetricsUpTo metrics = ReadUpTo(path, step);
  if (metrics.torn || metrics.later) WriteTextAtomically(FileSystem::Default(), path, metrics.text);
  return metrics.torn;
}

}  // namespace twofour::train
