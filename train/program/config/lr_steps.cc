#include "twofour/train/program/config/lr_steps.h"

#include <algorithm>
#include <cmath>

namespace twofour::train {

LrSteps AskedLrSteps(const proto::LearningRate& rate, int64_t total_steps) {
  const auto part = [total_steps](double fraction) {
    return std::llround(fraction * static_cast<double>(total_steps));
  };
  return {rate.has_warmup_fraction() ? part(rate.warmup_fraction()) : rate.warmup_steps(),
          rate.has_decay_fraction() ? part(rate.decay_fraction()) : rate.decay_steps()};
}

LrSteps FittingLrSteps(const proto::LearningRate& rate, int64_t total_steps) {
  LrSteps steps = AskedLrSteps(rate, total_steps);
  steps.warmup = std::min(steps.warmup, total_steps);
  steps.decay = std::min(steps.decay, total_steps - steps.warmup);
  return steps;
}

}  // namespace twofour::train
