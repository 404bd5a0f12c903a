#pragma once

#include <optional>

#include "twofour/core/faults.h"
#include "twofour/nn/gpt.h"
#include "twofour/train/data/token_data.h"
#include "twofour/train/data/token_windows.h"
#include "twofour/train/task.h"

namespace twofour::train {

struct LanguageModelOptions {
  int64_t batch_size = 8;  ///< Sequences in one forward and backward pass, each of the model's sequence_length.
  int64_t eval_batch_size = 8;
  int64_t eval_max_batches = 0;  ///< Forward passes of one evaluation, from the start of the data; 0: all data.
  uint64_t seed = 1;             ///< Decides which windows are trained on.
};

/// Rules: batches have at least one sequence, and eval_max_batches is not negative.
void Check(const LanguageModelOptions& options, const FieldPath& at, Faults& faults);

/// Next-token prediction on random windows of a token sequence. Evaluations read the held-out tokens in order. They
/// report the `perplexity` and, where the mean number of bytes per token is known, `bits_per_byte`.
class LanguageModelTask : public Task {
 public:
  /// The model is not owned. Without tokens to train on, the task can only evaluate. Throws Error on options that Check
  /// finds fault with, and when the data to train on is shorter than a window or that to evaluate on than two tokens.
  LanguageModelTask(nn::Gpt& model, const TokenData& data, const LanguageModelOptions& options);

  nn::Module& model() override { return model_; }
  Tensor Loss(uint64_t number) override;
  EvalMetrics Evaluate() override;
  std::string_view unit() const override { return "tokens"; }
  int64_t units_per_batch() const override { return batch_size_ * model_.options().sequence_length; }
  int64_t units_per_evaluation_batch() const override { return eval_batch_size_ * model_.options().sequence_length; }
  double flops_per_unit() const override { return flops_per_token_; }

 private:
  nn::Gpt& model_;
  int64_t batch_size_, eval_batch_size_, eval_max_batches_;
  std::optional<RandomWindows> train_;
  SequentialWindows eval_;
  double eval_bytes_per_token_, flops_per_token_;
};

}  // namespace twofour::train
