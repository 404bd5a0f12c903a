#include "twofour/train/task.h"

namespace twofour::train {
namespace {

/// Not a std::exception, so that nobody on the way takes it for a failure.
struct EvaluationStopped {};

}  // namespace

std::optional<EvalMetrics> Task::EvaluateUnless(const std::atomic<bool>* stop) {
  struct Scope {
    const std::atomic<bool>*& field;
    ~Scope() { field = nullptr; }
  } const scope{stop_evaluation_};
  stop_evaluation_ = stop;
  try {
    return Evaluate();
  } catch (const EvaluationStopped&) {
    return std::nullopt;
  }
}

void Task::BeforeEvaluationBatch() const {
  if (stop_evaluation_ != nullptr && *stop_evaluation_) throw EvaluationStopped{};
}

}  // namespace twofour::train
