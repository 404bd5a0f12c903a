#pragma once

#include <cstdint>

#include "config.pb.h"

namespace twofour::train {

/// The first step whose evaluation is one of the sparsity that the run ends with: a schedule, stages, a dense warm-up
/// or rounds of pruning are over. Losses of earlier steps are those of a denser model (or, with a dense finish, of a
/// sparser one), and do not compare. At most training.steps. For a valid config.
int64_t FirstComparableStep(const proto::Config& config);
/// The same of a run of config `stored` that goes on after `step` as `config`: evaluations that were made before count
/// only if the run was as sparse then as it will be.
int64_t FirstComparableStep(const proto::Config& stored, const proto::Config& config, int64_t step);

}  // namespace twofour::train
