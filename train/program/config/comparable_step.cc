#include "twofour/train/program/config/comparable_step.h"

#include <algorithm>

#include "twofour/train/program/config/build_finetune.h"
#include "twofour/train/program/config/build_sparsity.h"
#include "twofour/train/program/config/difference.h"

namespace twofour::train {
namespace {

/// The second stage trains what the third one does not begin with: the adapters are merged at its end.
int64_t FirstStepOfLastStage(const proto::Config& config) {
  const int64_t fixed = StagesOf(config).first_fixed_step;
  return fixed > 0 ? fixed + 1 : 0;
}

/// A checkpoint or evaluation at the step of a round comes before that round.
int64_t FirstStepAfterRounds(const proto::OneShot& one_shot) {
  return one_shot.rounds() > 1 ? (one_shot.rounds() - 1) * one_shot.round_steps() + 1 : 0;
}

int64_t FirstStepOfFinalPlan(const proto::Config& config) {
  const nn::SemiSparseOptions sparsity = BuildSwapOptions(config).sparsity;
  return sparsity.apply ? sparsity.plan.LastChange() : 0;
}

/// What decides how sparse a run is in the end. Schedules and stages are also seen by their steps.
proto::Config WhatIsPruned(const proto::Config& config) {
  proto::Config part;
  if (!config.sparsity().enabled()) return part;
  proto::Sparsity& sparsity = *part.mutable_sparsity() = config.sparsity();
  sparsity.clear_interval();
  sparsity.clear_interval_growth();
  sparsity.clear_masked_decay();
  sparsity.clear_fused_mlp();
  sparsity.clear_freeze_gradient();
  return part;
}

}  // namespace

int64_t FirstComparableStep(const proto::Config& stored, const proto::Config& config, int64_t step) {
  const bool same = Differences(WhatIsPruned(stored), WhatIsPruned(config)).empty();
  const int64_t since = same ? std::min(FirstComparableStep(stored), step + 1) : step + 1;
  return std::min(std::max(since, FirstComparableStep(config)), config.training().steps());
}

int64_t FirstComparableStep(const proto::Config& config) {
  if (!config.sparsity().enabled()) return 0;
  const int64_t step = config.has_one_shot()   ? FirstStepAfterRounds(config.one_shot())
                       : config.has_finetune() ? FirstStepOfLastStage(config)
                                               : FirstStepOfFinalPlan(config);
  return std::min(step, config.training().steps());
}

}  // namespace twofour::train
