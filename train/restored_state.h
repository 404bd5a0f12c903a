#pragma once

#include <cstdint>
#include <string>

#include "twofour/train/checkpoint.h"
#include "twofour/train/trainer.h"

namespace twofour::train {

/// What a new run prunes.
SparsityState SparsityOf(const TrainerOptions& options);
/// That of a run which goes on from a checkpoint. An earlier version's checkpoint does not tell whether the run was
/// always as it is now, which is sure enough of a dense run.
SparsityState SparsityAfter(const TrainerState& state, const TrainerOptions& options);
/// Whether the masks of a checkpoint were found by another plan.
bool HasOtherMasks(const TrainerState& state, const TrainerOptions& options);
/// A run that is made longer may be sparser in the end than it was where it ended before.
void ForgetWhatDoesNotCompare(int64_t first_step, TrainerState& state);
/// Throws Error if a run of `steps` steps cannot be in this state.
void CheckState(const TrainerState& state, int64_t steps, const std::string& source);

}  // namespace twofour::train
