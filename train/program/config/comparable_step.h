#pragma once

#include <cstdint>
#include <string>

#include "config.pb.h"

namespace twofour::train {

/// The first step whose evaluation is one of the sparsity that the run ends with: a schedule, stages, a dense warm-up
/// or rounds of pruning are over. Losses of earlier steps are those of a denser model (or, with a dense finish, of a
/// sparser one), and do not compare. At most training.steps. For a valid config.
int64_t FirstComparableStep(const proto::Config& config);

/// See TrainerOptions::sparsity_id. Configs of equal ids prune the same in the end, apart from the number of steps.
std::string SparsityId(const proto::Config& config);

/// Whether a change of a config, in the words of Differences, is one of what is pruned in the end.
bool ChangesSparsity(const std::string& change);

}  // namespace twofour::train
