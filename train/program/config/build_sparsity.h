#pragma once

#include <cstdint>

#include "twofour/nn/swap.h"
#include "twofour/sparse/mask_plan.h"
#include "twofour/sparse/moment.h"
#include "twofour/sparse/schedule.h"

#include "config.pb.h"

namespace twofour::train {

/// The optimizer step that is meant, of `total_steps`; `otherwise` where none is.
int64_t StepOf(const proto::When& when, int64_t total_steps, int64_t otherwise);

/// The same as a moment of a recipe; before step 0 where what is meant lies outside of the run.
sparse::Moment MomentOf(const proto::When& when, int64_t total_steps, sparse::Moment otherwise);

/// Steps of the dense warm-up and of the dense finish in a run of `total_steps`: where there is one, it takes a
/// step at least, but for the only one of a run.
int64_t DenseWarmupSteps(const proto::Sparsity& sparsity, int64_t total_steps);
int64_t DenseFinishSteps(const proto::Sparsity& sparsity, int64_t total_steps);

// The options that the sparsity of any config stands for, from the inside out: the next ones take what is made of
// those before. ValidateConfig calls Check on each.

sparse::SparsityScheduleOptions ToOptions(const proto::SparsitySchedule& schedule, int64_t steps);
sparse::MaskPlanOptions ToOptions(const proto::Sparsity& sparsity, int64_t steps, sparse::SparsitySchedule schedule);
nn::SwapOptions ToOptions(const proto::Config& config, sparse::MaskPlan plan);

/// All of these for a valid config.
nn::SwapOptions BuildSwapOptions(const proto::Config& config);

/// Swaps the linears of `model` that a valid config wants to be sparse. Throws Error that says why for each linear when
/// there is none.
nn::SwapReport SwapLayers(const proto::Config& config, nn::Module& model);

}  // namespace twofour::train
