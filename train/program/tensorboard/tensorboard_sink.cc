#include "twofour/train/program/tensorboard/tensorboard_sink.h"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "twofour/train/program/tensorboard/histogram.h"

#include "event.pb.h"

namespace twofour::train {
namespace {

void AddScalar(const std::string& tag, double value, proto::Summary& summary) {
  proto::Summary::Value& added = *summary.add_value();
  added.set_tag(tag);
  added.set_simple_value(static_cast<float>(value));
}

proto::HistogramProto ToProto(const Histogram& histogram) {
  proto::HistogramProto result;
  result.set_min(histogram.min);
  result.set_max(histogram.max);
  result.set_num(static_cast<double>(histogram.count));
  result.set_sum(histogram.sum);
  result.set_sum_squares(histogram.sum_squares);
  for (const Histogram::Bucket& bucket : histogram.buckets) {
    result.add_bucket_limit(bucket.limit);
    result.add_bucket(static_cast<double>(bucket.count));
  }
  return result;
}

}  // namespace

TensorBoardSink::TensorBoardSink(FileSystem& files, const std::filesystem::path& path, int64_t first_step,
                                 const Clock& wall_clock)
    : records_(files, path), wall_clock_(wall_clock) {
  proto::Event version;
  version.set_file_version("brain.Event:2");
  WriteEvent(0, std::move(version));
  proto::Event start;
  start.mutable_session_log()->set_status(proto::SessionLog::START);
  WriteEvent(first_step, std::move(start));
}

void TensorBoardSink::WriteEvent(int64_t step, proto::Event event) {
  event.set_wall_time(wall_clock_.Seconds());
  event.set_step(step);
  records_.Write(event.SerializeAsString());
}

void TensorBoardSink::WriteSummary(int64_t step, proto::Summary summary) {
  proto::Event event;
  *event.mutable_summary() = std::move(summary);
  WriteEvent(step, std::move(event));
}

void TensorBoardSink::OnTrain(const TrainMetrics& metrics) {
  proto::Summary summary;
  AddScalar("train/loss", metrics.loss, summary);
  for (const auto& [name, value] : metrics.details) AddScalar("train/" + name, value, summary);
  AddScalar("train/lr", metrics.lr, summary);
  AddScalar("train/grad_norm", metrics.grad_norm, summary);
  AddScalar(fmt::format("train/{}_per_s", metrics.unit), metrics.units_per_s, summary);
  if (metrics.mfu > 0) AddScalar(metrics.mfu_is_rough ? "train/mfu_rough" : "train/mfu", metrics.mfu, summary);
  if (metrics.training_seconds) AddScalar("train/training_seconds", *metrics.training_seconds, summary);
  WriteSummary(metrics.step, std::move(summary));
}

void TensorBoardSink::OnEval(const EvalMetrics& metrics) {
  proto::Summary summary;
  AddScalar("eval/loss", metrics.loss, summary);
  for (const auto& [name, value] : metrics.details) AddScalar("eval/" + name, value, summary);
  if (metrics.training_seconds) AddScalar("eval/training_seconds", *metrics.training_seconds, summary);
  WriteSummary(metrics.step, std::move(summary));
}

void TensorBoardSink::OnSparsity(const SparsityMetrics& metrics) {
  proto::Summary summary;
  const auto add = [&](const char* name, double value) {
    AddScalar(fmt::format("sparsity/{}/{}", metrics.layer, name), value, summary);
  };
  add("retained_l1", metrics.retained_l1);
  add("flip_rate", metrics.flip_rate);
  add("activation_density", metrics.activation_density);
  add("sparsity", metrics.sparsity);
  add("tiles_keeping_seven", static_cast<double>(metrics.tiles_keeping_seven));
  add("dead_rows", static_cast<double>(metrics.dead_rows));
  add("dead_columns", static_cast<double>(metrics.dead_columns));
  add("masked_gradient_share", metrics.masked_gradient_share);
  if (metrics.column_flip_rate) add("column_flip_rate", *metrics.column_flip_rate);
  WriteSummary(metrics.step, std::move(summary));
}

void TensorBoardSink::OnActivation(const ActivationMetrics& metrics) {
  proto::Summary summary;
  AddScalar(fmt::format("activation/{}/density", metrics.layer), metrics.density, summary);
  WriteSummary(metrics.step, std::move(summary));
}

void TensorBoardSink::OnTensor(const TensorMetrics& metrics) {
  const char* group = metrics.kind == TensorMetrics::Kind::kWeight ? "weights" : "gradients";
  proto::Summary summary;
  proto::Summary::Value& value = *summary.add_value();
  value.set_tag(fmt::format("{}/{}", group, metrics.name));
  *value.mutable_histo() = ToProto(HistogramOf(metrics.values));
  WriteSummary(metrics.step, std::move(summary));
}

}  // namespace twofour::train
