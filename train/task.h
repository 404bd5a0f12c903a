#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "twofour/core/tensor.h"
#include "twofour/nn/module.h"
#include "twofour/train/metrics.h"

namespace twofour::train {

/// What an evaluation needs to know of a batch that was evaluated: numbers that the task chooses.
using BatchOutcome = std::vector<double>;

/// Shares the batches of an evaluation among processes.
class EvaluationShares {
 public:
  virtual ~EvaluationShares() = default;
  /// Calls `evaluate` for this process's part of the batches 0 to `batches` - 1, and returns the outcomes of all
  /// processes in the order of batches. Returns nothing if `evaluate` has returned nothing in any process.
  virtual std::optional<std::vector<BatchOutcome>> Evaluate(
      int64_t batches, const std::function<std::optional<BatchOutcome>(int64_t batch)>& evaluate) = 0;
};

/// What a Trainer trains: a model, the batches it sees, its loss, and what an evaluation reports.
class Task {
 public:
  virtual ~Task() = default;

  virtual nn::Module& model() = 0;
  /// The mean loss over micro-batch `number`, counted from 0 over the whole run, shape []. It must depend on the model
  /// and the number only, so that a resumed run sees what the uninterrupted run would have seen.
  virtual Tensor Loss(uint64_t number) = 0;
  /// Sums over the micro-batches whose Loss() was asked for since the last call, from which StepDetails can tell other
  /// results than the loss. The trainer takes them after each shard, and adds them up number by number. There are as
  /// many each time.
  virtual std::vector<double> TakeSums() { return {}; }
  /// What the sums of a whole step tell.
  virtual MetricDetails StepDetails(const std::vector<double>& /*sums*/) const { return {}; }
  MetricDetails TakeStepDetails() { return StepDetails(TakeSums()); }
  /// Evaluates the model on all evaluation data. The caller turns training mode and gradients off.
  virtual EvalMetrics Evaluate() = 0;
  /// Like Evaluate(), but returns nothing where `stop` is true before one of its batches. A null `stop` never stops it.
  /// With `shares`, several processes share the batches: each must call this.
  std::optional<EvalMetrics> EvaluateUnless(const std::atomic<bool>* stop, EvaluationShares* shares = nullptr);

  /// What batches are counted in: "samples", "tokens".
  virtual std::string_view unit() const = 0;
  /// Units in a micro-batch.
  virtual int64_t units_per_batch() const = 0;
  /// Units in a batch of an evaluation.
  virtual int64_t units_per_evaluation_batch() const { return units_per_batch(); }
  /// Floating-point operations that training the dense model takes for one unit; 0: not known.
  virtual double flops_per_unit() const { return 0; }

 protected:
  /// For Evaluate: calls `evaluate` for the batches 0 to `batches` - 1, and hands each outcome to `take`, in this
  /// order. Where processes share an evaluation, `evaluate` is only called for some of the batches. Evaluate must not
  /// catch what this throws.
  void EvaluateBatches(int64_t batches, const std::function<BatchOutcome(int64_t batch)>& evaluate,
                       const std::function<void(int64_t batch, const BatchOutcome& outcome)>& take);
  /// For an Evaluate that does without EvaluateBatches: must be called before each batch, or a long evaluation cannot
  /// be stopped. Processes that train together then evaluate all batches each, and are not stopped.
  void BeforeEvaluationBatch() const;

 private:
  bool StopsEvaluation() const { return stop_evaluation_ != nullptr && *stop_evaluation_; }

  const std::atomic<bool>* stop_evaluation_ = nullptr;
  EvaluationShares* shares_ = nullptr;
};

}  // namespace twofour::train
