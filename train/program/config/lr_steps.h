#pragma once

#include <cstdint>

#include "config.pb.h"

namespace twofour::train {

/// How many steps the learning rate rises and falls.
struct LrSteps {
  int64_t warmup = 0;
  int64_t decay = 0;
};

/// The steps that the config asks for, even if the run is too short for them.
LrSteps AskedLrSteps(const proto::LearningRate& rate, int64_t total_steps);

/// The steps in a run of `total_steps`: the rise takes at most all steps, and the fall at most those that the rise
/// leaves.
LrSteps FittingLrSteps(const proto::LearningRate& rate, int64_t total_steps);

}  // namespace twofour::train
