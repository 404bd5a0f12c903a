#include "twofour/train/language_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "twofour/core/error.h"

namespace twofour::train {

void Check(const LanguageModelOptions& options, const FieldPath& at, Faults& faults) {
  faults.InRange(at("batch_size"), options.batch_size, 1, kMaxCount);
  faults.InRange(at("eval_batch_size"), options.eval_batch_size, 1, kMaxCount);
  faults.InRange(at("eval_max_batches"), options.eval_max_batches, 0, kMaxCount);
}

LanguageModelTask::LanguageModelTask(nn::Gpt& model, const TokenData& data, const LanguageModelOptions& options)
    : model_(model),
      batch_size_(Checked(options, "").batch_size),
      eval_batch_size_(options.eval_batch_size),
      eval_max_batches_(options.eval_max_batches),
      eval_(data.eval, options.eval_batch_size, model.options().sequence_length),
      eval_bytes_per_token_(data.eval_bytes_per_token),
      flops_per_token_(model.TrainingFlopsPerToken()) {
  if (data.train.size() > 0) train_.emplace(data.train, batch_size_, model.options().sequence_length, options.seed);
  if (data.vocab_size > model.options().vocab_size) {
    throw Error(
        fmt::format("the data has {} tokens, the model's vocabulary {}", data.vocab_size, model.options().vocab_size));
  }
}

Tensor LanguageModelTask::Loss(uint64_t number) {
  if (!train_) throw Error("LanguageModelTask: the data has no tokens to train on");
  const TokenBatch batch = train_->Get(number);
  return model_.Loss(batch.inputs, batch.targets);
}

EvalMetrics LanguageModelTask::Evaluate() {
  const int64_t batches =
      eval_max_batches_ == 0 ? eval_.num_batches() : std::min(eval_max_batches_, eval_.num_batches());
  double loss_sum = 0, tokens = 0;
  const auto evaluate = [this](int64_t i) -> BatchOutcome {
    const TokenBatch batch = eval_.Get(i);
    return {model_.Loss(batch.inputs, batch.targets).item(), static_cast<double>(batch.targets.numel())};
  };
  EvaluateBatches(batches, evaluate, [&](int64_t /*batch*/, const BatchOutcome& outcome) {
    loss_sum += outcome[0] * outcome[1];
    tokens += outcome[1];
  });
  EvalMetrics metrics{.loss = loss_sum / tokens, .count = static_cast<int64_t>(tokens)};
  if (const double perplexity = std::exp(metrics.loss); std::isfinite(perplexity)) {
    metrics.details.emplace_back("perplexity", perplexity);
  }
  if (eval_bytes_per_token_ > 0) {
    metrics.details.emplace_back("bits_per_byte", metrics.loss / std::numbers::ln2 / eval_bytes_per_token_);
  }
  return metrics;
}

}  // namespace twofour::train
