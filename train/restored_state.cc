#include "twofour/train/restored_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "twofour/core/faults.h"

namespace twofour::train {

SparsityState SparsityOf(const TrainerOptions& options) {
  return {options.sparsity_id, options.compare_from_step, options.compare_from_step};
}

SparsityState SparsityAfter(const TrainerState& state, const TrainerOptions& options) {
  SparsityState sparsity = SparsityOf(options);
  const bool same = state.sparsity ? state.sparsity->id == options.sparsity_id : options.sparsity_id.empty();
  const int64_t since = state.sparsity ? state.sparsity->compare_from : 0;
  sparsity.compare_from = std::max(sparsity.compare_from, same ? std::min(since, state.step + 1) : state.step + 1);
  return sparsity;
}

bool HasOtherMasks(const TrainerState& state, const TrainerOptions& options) {
  return state.sparsity &&
         (state.sparsity->id != options.sparsity_id || state.sparsity->settles_at != options.compare_from_step);
}

void ForgetWhatDoesNotCompare(int64_t first_step, TrainerState& state) {
  if (state.best_step < first_step) {
    state.best_step = 0;
    state.best_loss = 0;
  }
  for (BestEvaluation* best : {&state.best_evaluation, &state.best_scheduled}) {
    if (best->step < first_step) *best = {};
  }
}

void CheckState(const TrainerState& state, int64_t steps, const std::string& source) {
  Faults faults(source + ": ");
  faults.Expect(state.step <= steps, "step", state.step, "",
                fmt::format("is at step {}, the run has only {}", state.step, steps));
  faults.InRange("step", state.step, 0, steps);
  const int64_t last = std::max<int64_t>(state.step, 0);
  faults.InRange("best_step", state.best_step, 0, last);
  faults.Finite("best_loss", state.best_loss);
  if (state.training_seconds) faults.AtLeast("training_seconds", *state.training_seconds, 0);
  for (const auto& [name, best] :
       {std::pair("best_evaluation", state.best_evaluation), std::pair("best_scheduled", state.best_scheduled)}) {
    const FieldPath at(name);
    faults.InRange(at("step"), best.step, 0, last);
    faults.Finite(at("loss"), best.loss);
    faults.InRange(at("evaluations_since"), best.evaluations_since, 0, kMaxCount);
  }
  faults.Throw();
}

}  // namespace twofour::train
