#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "twofour/nn/swap.h"
#include "twofour/sparse/mask_plan.h"
#include "twofour/sparse/moment.h"
#include "twofour/sparse/schedule.h"
#include "twofour/sparse/scores/mask_score.h"

#include "config.pb.h"

namespace twofour::train {

/// Whether a moment is given. Configs with defaults have the message in any case.
inline bool IsSet(const proto::When& when) { return when.kind_case() != proto::When::KIND_NOT_SET; }

/// The optimizer step that `when` means in a run of `total_steps`; `otherwise` if it is not set.
int64_t StepOf(const proto::When& when, int64_t total_steps, int64_t otherwise);

/// The same as a moment of a recipe. A moment outside of the run becomes one before step 0.
sparse::Moment MomentOf(const proto::When& when, int64_t total_steps, sparse::Moment otherwise);

/// The steps of a part of a run: at least one where the part is above 0 and the run has more than one step. 0 for what
/// is no part in [0, 1).
int64_t StepsOfPart(double part, int64_t total_steps);

/// Steps of the dense warm-up and of the dense finish in a run of `total_steps`. Each takes at least one step if it is
/// configured and the run has more than one step.
int64_t DenseWarmupSteps(const proto::Sparsity& sparsity, int64_t total_steps);
int64_t DenseFinishSteps(const proto::Sparsity& sparsity, int64_t total_steps);

sparse::MaskScore ToScore(proto::Score score);

// The options that the sparsity of any config describes, valid or not (a text that is no pattern counts as none), from
// the inside out: each function takes the object that is built from the options of the one before it. ValidateConfig
// calls Check on all of them.

sparse::SparsityScheduleOptions ToOptions(const proto::SparsitySchedule& schedule, int64_t steps);
sparse::MaskPlanOptions ToOptions(const proto::Sparsity& sparsity, int64_t steps, sparse::SparsitySchedule schedule);
/// The plans of single linears differ from `plan` in their pattern, unless it does not go with the rest of the
/// plan.
std::map<std::string, sparse::MaskPlan> PlansOfLayers(const proto::Sparsity& sparsity, const sparse::MaskPlan& plan);
nn::SwapOptions ToOptions(const proto::Config& config, sparse::MaskPlan plan);

/// Calls all of these for a valid config.
nn::SwapOptions BuildSwapOptions(const proto::Config& config);

/// Swaps the linears of `model` that a valid config wants to be sparse. If there are none, throws Error that says for
/// each linear why it stays dense.
nn::SwapReport SwapLayers(const proto::Config& config, nn::Module& model);

}  // namespace twofour::train
