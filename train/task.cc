#include "twofour/train/task.h"

namespace twofour::train {
namespace {

/// Not a std::exception, so that nobody on the way takes it for a failure.
struct EvaluationStopped {};

}  // namespace

std::optional<EvalMetrics> Task::EvaluateUnless(const std::atomic<bool>* stop, EvaluationShares* shares) {
  struct Scope {
    Task& task;
    ~Scope() {
      task.stop_evaluation_ = nullptr;
      task.shares_ = nullptr;
    }
  } const scope{*this};
  stop_evaluation_ = stop;
  shares_ = shares;
  try {
    return Evaluate();
  } catch (const EvaluationStopped&) {
    return std::nullopt;
  }
}

void Task::EvaluateBatches(int64_t batches, const std::function<BatchOutcome(int64_t batch)>& evaluate,
                           const std::function<void(int64_t batch, const BatchOutcome& outcome)>& take) {
  if (shares_ == nullptr) {
    for (int64_t batch = 0; batch < batches; ++batch) {
      if (StopsEvaluation()) throw EvaluationStopped{};
      take(batch, evaluate(batch));
    }
    return;
  }
  const auto outcomes = shares_->Evaluate(
      batches, [&](int64_t batch) { return StopsEvaluation() ? std::nullopt : std::optional(evaluate(batch)); });
  if (!outcomes) throw EvaluationStopped{};
  for (int64_t batch = 0; batch < batches; ++batch) take(batch, (*outcomes)[static_cast<size_t>(batch)]);
}

void Task::BeforeEvaluationBatch() const {
  if (shares_ == nullptr && StopsEvaluation()) throw EvaluationStopped{};
}

}  // namespace twofour::train
