#pragma once

#include <algorithm>

#include "twofour/core/faults.h"
#include "twofour/train/data/dataset.h"
#include "twofour/train/data/shuffle.h"
#include "twofour/train/task.h"

namespace twofour::train {

struct ClassificationOptions {
  int64_t batch_size = 128;  ///< Samples in one forward and backward pass.
  int64_t eval_batch_size = 500;
  bool shuffle = true;
  uint64_t seed = 1;  ///< Decides the order of the data.
};

/// Rule: batches have at least one sample.
void Check(const ClassificationOptions& options, const FieldPath& at, Faults& faults);

/// Softmax cross-entropy on a Dataset. Evaluations report the `accuracy`: the share of samples whose largest logit is
/// that of their class.
class ClassificationTask : public Task {
 public:
  /// Nothing is owned or copied. Throws Error on options that Check finds fault with, and when a batch is larger than
  /// the data.
  ClassificationTask(nn::Module& model, const Dataset& train_data, const Dataset& eval_data,
                     const ClassificationOptions& options);

  nn::Module& model() override { return model_; }
  Tensor Loss(uint64_t number) override;
  EvalMetrics Evaluate() override;
  std::string_view unit() const override { return "samples"; }
  int64_t units_per_batch() const override { return sampler_.batch_size(); }
  int64_t units_per_evaluation_batch() const override { return std::min(eval_batch_size_, eval_data_.size()); }

 private:
  nn::Module& model_;
  const Dataset& train_data_;
  const Dataset& eval_data_;
  int64_t eval_batch_size_;
  EpochSampler sampler_;
};

}  // namespace twofour::train
