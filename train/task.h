#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string_view>

#include "twofour/core/tensor.h"
#include "twofour/nn/module.h"
#include "twofour/train/metrics.h"

namespace twofour::train {

/// What a Trainer trains: a model, the batches it sees, its loss, and what an evaluation tells.
class Task {
 public:
  virtual ~Task() = default;

  virtual nn::Module& model() = 0;
  /// The mean loss over micro-batch `number`, counted from 0 over the whole run, shape []. A function of the model and
  /// the number alone, so that a resumed run sees what the uninterrupted run would have seen.
  virtual Tensor Loss(uint64_t number) = 0;
  /// The model over all evaluation data. The caller turns training mode and gradients off.
  virtual EvalMetrics Evaluate() = 0;
  /// Evaluate(), but nothing where `stop` (null: never) is true before one of its batches.
  std::optional<EvalMetrics> EvaluateUnless(const std::atomic<bool>* stop);

  /// What batches are counted in: "samples", "tokens".
  virtual std::string_view unit() const = 0;
  /// How many of these make a micro-batch.
  virtual int64_t units_per_batch() const = 0;
  /// How many of them an evaluation takes at once.
  virtual int64_t units_per_evaluation_batch() const { return units_per_batch(); }
  /// Floating-point operations that training the dense model takes for one of them; 0: not known.
  virtual double flops_per_unit() const { return 0; }

 protected:
  /// To be called by Evaluate before each batch: a long evaluation that does not can only be waited for. What it throws
  /// is to be let through.
  void BeforeEvaluationBatch() const;

 private:
  const std::atomic<bool>* stop_evaluation_ = nullptr;
};

}  // namespace twofour::train
