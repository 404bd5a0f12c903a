#include "twofour/train/classification.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <span>
#include <utility>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/ops/check.h"
#include "twofour/train/data/evaluation_batches.h"

namespace twofour::train {
namespace {

int64_t CountCorrect(const Tensor& logits, const Tensor& targets) {
  ops::RequireDType("ClassificationTask", "logits", logits, DType::kF32);
  const float* row = logits.data<float>();
  const int32_t* const target = targets.data<int32_t>();
  int64_t correct = 0;
  for (int64_t i = 0; i < logits.rows(); ++i, row += logits.cols()) {
    correct += LargestLogit({row, static_cast<size_t>(logits.cols())}) == target[i];
  }
  return correct;
}

}  // namespace

std::vector<double> BalancedClassWeights(const Dataset& data) {
  const std::vector<int64_t> counts = data.ClassCounts();
  const auto occur = static_cast<double>(std::ranges::count_if(counts, [](int64_t count) { return count > 0; }));
  std::vector<double> weights;
  for (const int64_t count : counts) {
    weights.push_back(count > 0 ? static_cast<double>(data.size()) / (occur * static_cast<double>(count)) : 1.0);
  }
  return weights;
}

void Check(const ClassificationOptions& options, const FieldPath& at, Faults& faults) {
  faults.InRange(at("batch_size"), options.batch_size, 1, kMaxCount);
  faults.InRange(at("eval_batch_size"), options.eval_batch_size, 1, kMaxCount);
  faults.Probability(at("label_smoothing"), options.label_smoothing);
  for (size_t i = 0; i < options.class_weights.size(); ++i) {
    faults.AtLeast(fmt::format("{}[{}]", at("class_weights"), i), options.class_weights[i], 0);
  }
  const bool all_zero = std::ranges::all_of(options.class_weights, [](double weight) { return weight == 0; });
  faults.Expect(options.class_weights.empty() || !all_zero, at("class_weights"), "all 0", "one above 0");
}

ClassificationTask::ClassificationTask(nn::Module& model, const Dataset& train_data, const Dataset& eval_data,
                                       const ClassificationOptions& options)
    : model_(model),
      train_data_((RequireAlike(train_data, eval_data), train_data)),  // Before anything else depends on them.
      eval_data_(eval_data),
      eval_batch_size_(Checked(options, "").eval_batch_size),
      sampler_(train_data.size(), options.batch_size, options.seed, options.shuffle),
      loss_{.label_smoothing = options.label_smoothing} {
  const int64_t classes = train_data.num_classes();
  if (classes == 0 || eval_data.num_classes() == 0) {
    throw Error("ClassificationTask: the targets are numbers, expected classes; RegressionTask takes numbers");
  }
  if (options.class_weights.empty()) return;
  if (std::ssize(options.class_weights) != classes) {
    throw Error(fmt::format("ClassificationTask: {} class_weights, expected {}, one for each class",
                            options.class_weights.size(), classes));
  }
  loss_.class_weights = Tensor::FromVector(options.class_weights, {classes});
}

Tensor ClassificationTask::Loss(uint64_t number) {
  const Batch batch = GetBatch(train_data_, sampler_.BatchIndices(number));
  const Tensor logits = model_.Forward(batch.inputs);
  step_samples_ += batch.targets.dim(0);
  step_correct_ += CountCorrect(logits, batch.targets);
  return CrossEntropyLoss(logits, batch.targets, loss_);
}

std::vector<double> ClassificationTask::TakeSums() {
  return {static_cast<double>(std::exchange(step_samples_, 0)), static_cast<double>(std::exchange(step_correct_, 0))};
}

MetricDetails ClassificationTask::StepDetails(const std::vector<double>& sums) const {
  const double samples = sums[0], correct = sums[1];
  if (samples == 0) return {};
  return {{"accuracy", correct / samples}};
}

EvalMetrics ClassificationTask::Evaluate() {
  const int64_t size = eval_data_.size();
  EvaluationBatches batches(eval_data_, eval_batch_size_);
  // The loss, and for which class each sample was taken.
  const auto evaluate = [&](int64_t number) -> BatchOutcome {
    const Batch& batch = batches.Get(number);
    const Tensor logits = model_.Forward(batch.inputs);
    ops::RequireDType("ClassificationTask", "logits", logits, DType::kF32);
    BatchOutcome outcome = ClassesOf(logits);
    outcome.insert(outcome.begin(), CrossEntropyLoss(logits, batch.targets).item());
    return outcome;
  };
  double loss_sum = 0;
  ConfusionMatrix confusion(eval_data_.num_classes());
  EvaluateBatches(batches.count(), evaluate, [&](int64_t number, const BatchOutcome& outcome) {
    loss_sum += outcome[0] * static_cast<double>(outcome.size() - 1);
    confusion.Add(std::span(outcome).subspan(1), batches.Get(number).targets);
  });
  const double accuracy = confusion.accuracy();
  confusion_ = std::move(confusion);
  return {.loss = loss_sum / static_cast<double>(size), .details = {{"accuracy", accuracy}}, .count = size};
}

}  // namespace twofour::train
