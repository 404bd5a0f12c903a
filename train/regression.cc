#include "twofour/train/regression.h"

#include <fmt/format.h>

#include <numeric>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/core/ops/loss.h"

namespace twofour::train {
namespace {

std::vector<double> ScalesOf(const RegressionOptions& options, const Dataset& data) {
  if (data.num_classes() > 0) {
    throw Error(fmt::format("RegressionTask: data of {} classes, expected numbers as targets", data.num_classes()));
  }
  const auto outputs = static_cast<size_t>(data.outputs());
  if (options.target_scales.empty()) return std::vector<double>(outputs, 1);
  if (options.target_scales.size() == outputs) return options.target_scales;
  throw Error(fmt::format("RegressionTask: {} target_scales, expected {}, one for each target",
                          options.target_scales.size(), outputs));
}

}  // namespace

void Check(const RegressionOptions& options, const FieldPath& at, Faults& faults) {
  faults.InRange(at("batch_size"), options.batch_size, 1, kMaxCount);
  faults.InRange(at("eval_batch_size"), options.eval_batch_size, 1, kMaxCount);
  faults.Positive(at("huber_delta"), options.huber_delta);
}

RegressionTask::RegressionTask(nn::Module& model, const Dataset& train_data, const Dataset& eval_data,
                               const RegressionOptions& options)
    : model_(model),
      train_data_((RequireAlike(train_data, eval_data), train_data)),  // Before anything else depends on them.
      eval_data_(eval_data),
      options_(Checked(options, "")),
      sampler_(train_data.size(), options.batch_size, options.seed, options.shuffle),
      step_errors_(ScalesOf(options, train_data)) {
  options_.target_scales = ScalesOf(options, train_data);
}

Tensor RegressionTask::LossOf(const Tensor& predictions, const Tensor& targets) const {
  return options_.loss == RegressionOptions::Loss::kHuber ? HuberLoss(predictions, targets, options_.huber_delta)
                                                          : MseLoss(predictions, targets);
}

Tensor RegressionTask::Loss(uint64_t number) {
  const Batch batch = GetBatch(train_data_, sampler_.BatchIndices(number));
  const Tensor predictions = model_.Forward(batch.inputs);
  step_errors_.Add(predictions, batch.targets);
  return LossOf(predictions, batch.targets);
}

MetricDetails RegressionTask::TakeStepDetails() {
  const RegressionErrors errors = std::exchange(step_errors_, RegressionErrors(options_.target_scales));
  if (errors.total() == 0 || errors.targets() > 1) return {};
  return {{"rmse", errors.Rmse(0)}};
}

EvalMetrics RegressionTask::Evaluate() {
  const int64_t size = eval_data_.size();
  double loss_sum = 0;
  RegressionErrors errors(options_.target_scales);
  for (int64_t begin = 0; begin < size; begin += options_.eval_batch_size) {
    BeforeEvaluationBatch();
    std::vector<int64_t> indices(static_cast<size_t>(std::min(options_.eval_batch_size, size - begin)));
    std::iota(indices.begin(), indices.end(), begin);
    const Batch batch = GetBatch(eval_data_, indices);
    const Tensor predictions = model_.Forward(batch.inputs);
    loss_sum += LossOf(predictions, batch.targets).item() * static_cast<double>(indices.size());
    errors.Add(predictions, batch.targets);
  }
  MetricDetails details;
  if (errors.targets() == 1) details = {{"rmse", errors.Rmse(0)}, {"mae", errors.Mae(0)}};
  if (const std::optional<double> r2 = errors.MeanR2()) details.emplace_back("r2", *r2);
  errors_ = std::move(errors);
  return {.loss = loss_sum / static_cast<double>(size), .details = std::move(details), .count = size};
}

}  // namespace twofour::train
