#pragma once

#include <cstdint>

#include "config.pb.h"

namespace twofour::train {

/// How long the learning rate rises and falls, in steps.
struct LrSteps {
  int64_t warmup = 0;
  int64_t decay = 0;
};

/// What is asked for, whether the run is long enough or not.
LrSteps AskedLrSteps(const proto::LearningRate& rate, int64_t total_steps);

/// What a run of `total_steps` makes of it: the rise takes all steps at most, the fall what the rise leaves at most.
LrSteps FittingLrSteps(const proto::LearningRate& rate, int64_t total_steps);

}  // namespace twofour::train
