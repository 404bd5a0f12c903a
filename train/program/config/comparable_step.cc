#include "twofour/train/program/config/comparable_step.h"

#include <algorithm>

#include "twofour/train/program/config/build_sparsity.h"

namespace twofour::train {
namespace {

/// A checkpoint or evaluation at the step of a round comes before that round.
int64_t FirstStepAfterRounds(const proto::OneShot& one_shot) {
  return one_shot.rounds() > 1 ? (one_shot.rounds() - 1) * one_shot.round_steps() + 1 : 0;
}

int64_t FirstStepOfFinalPlan(const proto::Config& config) {
  const nn::SemiSparseOptions sparsity = BuildSwapOptions(config).sparsity;
  return sparsity.apply ? sparsity.plan.LastChange() : 0;
}

}  // namespace

int64_t FirstComparableStep(const proto::Config& config) {
  if (!config.sparsity().enabled()) return 0;
  const int64_t step = config.has_one_shot() ? FirstStepAfterRounds(config.one_shot()) : FirstStepOfFinalPlan(config);
  return std::min(step, config.training().steps());
}

}  // namespace twofour::train
