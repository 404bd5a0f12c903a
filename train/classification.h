#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "twofour/core/faults.h"
#include "twofour/core/ops/loss.h"
#include "twofour/train/confusion_matrix.h"
#include "twofour/train/data/dataset.h"
#include "twofour/train/data/shuffle.h"
#include "twofour/train/task.h"

namespace twofour::train {

struct ClassificationOptions {
  int64_t batch_size = 128;  ///< Samples in one forward and backward pass.
  int64_t eval_batch_size = 500;
  bool shuffle = true;
  uint64_t seed = 1;  ///< Decides the order of the data.
  /// How training weighs classes: see CrossEntropyOptions. Evaluations report the plain loss.
  double label_smoothing = 0;
  std::vector<double> class_weights = {};  ///< [num_classes]; empty: all classes weigh 1.
};

/// Weights by which each class that occurs in the data has the same share of the sum: samples / (classes * samples of
/// the class), where only classes that occur count (scikit-learn's "balanced"). Others weigh 1.
std::vector<double> BalancedClassWeights(const Dataset& data);

/// Rules: batches have at least one sample; label_smoothing is from 0 to 1, 1 excluded; weights are not negative.
void Check(const ClassificationOptions& options, const FieldPath& at, Faults& faults);

/// Softmax cross-entropy on a Dataset. Steps and evaluations report the `accuracy`: the share of samples whose largest
/// logit is that of their class. In a step these are the logits before its update, with dropout.
class ClassificationTask : public Task {
 public:
  /// Nothing is owned or copied. Throws Error on options that Check finds fault with, and when a batch is larger than
  /// the data.
  ClassificationTask(nn::Module& model, const Dataset& train_data, const Dataset& eval_data,
                     const ClassificationOptions& options);

  nn::Module& model() override { return model_; }
  Tensor Loss(uint64_t number) override;
  std::vector<double> TakeSums() override;
  MetricDetails StepDetails(const std::vector<double>& sums) const override;
  EvalMetrics Evaluate() override;
  std::string_view unit() const override { return "samples"; }
  int64_t units_per_batch() const override { return sampler_.batch_size(); }
  int64_t units_per_evaluation_batch() const override { return std::min(eval_batch_size_, eval_data_.size()); }

  /// What the last evaluation took for what; nothing before the first one.
  const std::optional<ConfusionMatrix>& confusion() const { return confusion_; }

 private:
  nn::Module& model_;
  const Dataset& train_data_;
  const Dataset& eval_data_;
  int64_t eval_batch_size_;
  EpochSampler sampler_;
  CrossEntropyOptions loss_;
  int64_t step_samples_ = 0, step_correct_ = 0;  // Of the step under way.
  std::optional<ConfusionMatrix> confusion_;
};

}  // namespace twofour::train
