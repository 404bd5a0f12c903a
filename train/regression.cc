#include "twofour/train/regression.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/core/ops/loss.h"
#include "twofour/train/data/evaluation_batches.h"

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

std::vector<double> RegressionTask::TakeSums() {
  const RegressionErrors errors = std::exchange(step_errors_, RegressionErrors(options_.target_scales));
  return {static_cast<double>(errors.total()), errors.SquaresOf(0)};
}

MetricDetails RegressionTask::StepDetails(const std::vector<double>& sums) const {
  const double samples = sums[0], squares = sums[1];
  if (samples == 0 || options_.target_scales.size() > 1) return {};
  return {{"rmse", std::sqrt(squares / samples) * options_.target_scales[0]}};
}

EvalMetrics RegressionTask::Evaluate() {
  const int64_t size = eval_data_.size();
  EvaluationBatches batches(eval_data_, options_.eval_batch_size);
  // The loss, and the predictions.
  const auto evaluate = [&](int64_t number) -> BatchOutcome {
    const Batch& batch = batches.Get(number);
    const Tensor predictions = model_.Forward(batch.inputs);
    BatchOutcome outcome{LossOf(predictions, batch.targets).item()};
    const std::vector<float> elements = predictions.ToVector();
    outcome.insert(outcome.end(), elements.begin(), elements.end());
    return outcome;
  };
  double loss_sum = 0;
  RegressionErrors errors(options_.target_scales);
  EvaluateBatches(batches.count(), evaluate, [&](int64_t number, const BatchOutcome& outcome) {
    const Tensor targets = batches.Get(number).targets;
    loss_sum += outcome[0] * static_cast<double>(targets.dim(0));
    errors.Add(Tensor::FromVector(std::vector<float>(outcome.begin() + 1, outcome.end()), targets.shape()), targets);
  });
  MetricDetails details;
  if (errors.targets() == 1) details = {{"rmse", errors.Rmse(0)}, {"mae", errors.Mae(0)}};
  if (const std::optional<double> r2 = errors.MeanR2()) details.emplace_back("r2", *r2);
  errors_ = std::move(errors);
  return {.loss = loss_sum / static_cast<double>(size), .details = std::move(details), .count = size};
}

}  // namespace twofour::train
