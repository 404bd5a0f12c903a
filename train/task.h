#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string_view>

#include "twofour/core/tensor.h"
#include "twofour/nn/module.h"
#include "twofour/train/metrics.h"

namespace twofour::train {

/// What a Trainer trains: a model, the batches it sees, its loss, and what an evaluation reports.
class Task {
 public:
  virtual ~Task() = default;

  virtual nn::Module& model() = 0;
  /// The mean loss over micro-batch `number`, counted from 0 over the whole run, shape []. It must depend on the model
  /// and the number only, so that a resumed run sees what the uninterrupted run would have seen.
  virtual Tensor Loss(uint64_t number) = 0;
  /// Other results of the micro-batches whose Loss() was asked for since the last call. The trainer calls this after
  /// each step.
  virtual MetricDetails TakeStepDetails() { return {}; }
  /// Evaluates the model on all evaluation data. The caller turns training mode and gradients off.
  virtual EvalMetrics Evaluate() = 0;
  /// Like Evaluate(), but returns nothing where `stop` is true before one of its batches. A null `stop` never stops it.
  std::optional<EvalMetrics> EvaluateUnless(const std::atomic<bool>* stop);

  /// What batches are counted in: "samples", "tokens".
  virtual std::string_view unit() const = 0;
  /// Units in a micro-batch.
  virtual int64_t units_per_batch() const = 0;
  /// Units in a batch of an evaluation.
  virtual int64_t units_per_evaluation_batch() const { return units_per_batch(); }
  /// Floating-point operations that training the dense model takes for one unit; 0: not known.
  virtual double flops_per_unit() const { return 0; }

 protected:
  /// Evaluate must call this before each batch; otherwise a long evaluation cannot be stopped. Evaluate must not catch
  /// what this throws.
  void BeforeEvaluationBatch() const;

 private:
  const std::atomic<bool>* stop_evaluation_ = nullptr;
};

}  // namespace twofour::train
