#pragma once

#include <cstdint>

#include "config.pb.h"

namespace twofour::train {

/// The first step whose evaluation is one of the sparsity that the run ends with: a schedule, stages, a dense warm-up
/// or rounds of pruning are over. Losses of earlier steps are those of a denser model (or, with a dense finish, of a
/// sparser one), and do not compare. At most training.steps. For a valid config.
int64_t FirstComparableStep(const proto::Config& config);

}  // namespace twofour::train
