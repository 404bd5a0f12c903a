#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "twofour/core/faults.h"
#include "twofour/train/data/dataset.h"
#include "twofour/train/data/shuffle.h"
#include "twofour/train/regression_errors.h"
#include "twofour/train/task.h"

namespace twofour::train {

struct RegressionOptions {
  enum class Loss { kMeanSquaredError, kHuber };

  int64_t batch_size = 128;  ///< Samples in one forward and backward pass.
  int64_t eval_batch_size = 500;
  bool shuffle = true;
  uint64_t seed = 1;  ///< Decides the order of the data.
  Loss loss = Loss::kMeanSquaredError;
  double huber_delta = 1;  ///< Where HuberLoss turns from a square to a line, in units of the data's targets.
  /// [outputs] The unit of each target as a multiple of that of the data's targets, such as the standard deviation by
  /// which they were divided. Empty: 1.
  std::vector<double> target_scales = {};
};

/// Rules: batches have at least one sample; huber_delta is above 0.
void Check(const RegressionOptions& options, const FieldPath& at, Faults& faults);

/// The mean squared error, or the Huber loss, of a Dataset whose targets are numbers. Evaluations report `rmse` and
/// `mae`, in the target's own units, and `r2`; of several targets, whose units differ, the mean `r2` alone. Steps
/// report the `rmse` of one target, before their update and with dropout.
class RegressionTask : public Task {
 public:
  /// Nothing is owned or copied. Throws Error on options that Check finds fault with, when a batch is larger than the
  /// data, and on data with classes.
  RegressionTask(nn::Module& model, const Dataset& train_data, const Dataset& eval_data,
                 const RegressionOptions& options);

  nn::Module& model() override { return model_; }
  Tensor Loss(uint64_t number) override;
  std::vector<double> TakeSums() override;
  MetricDetails StepDetails(const std::vector<double>& sums) const override;
  EvalMetrics Evaluate() override;
  std::string_view unit() const override { return "samples"; }
  int64_t units_per_batch() const override { return sampler_.batch_size(); }
  int64_t units_per_evaluation_batch() const override { return std::min(options_.eval_batch_size, eval_data_.size()); }

  /// The errors of the last evaluation; nothing before the first one.
  const std::optional<RegressionErrors>& errors() const { return errors_; }

 private:
  Tensor LossOf(const Tensor& predictions, const Tensor& targets) const;

  nn::Module& model_;
  const Dataset& train_data_;
  const Dataset& eval_data_;
  RegressionOptions options_;
  EpochSampler sampler_;
  RegressionErrors step_errors_;  // Of the step under way.
  std::optional<RegressionErrors> errors_;
};

}  // namespace twofour::train
