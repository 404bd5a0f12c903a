#pragma once

#include <cstdint>

#include "twofour/core/io/json.h"
#include "twofour/nn/one_shot.h"
#include "twofour/train/program/prune/prunable_run.h"
#include "twofour/train/program/prune/pruned_run.h"

#include "config.pb.h"

namespace twofour::train {

/// Everything that decided what a run became when it was pruned, and that would repeat it. `options` are those of the
/// run, before patterns are allocated; `samples` is how many it was calibrated with.
proto::Pruning RecordOf(const PruneRequest& request, const nn::OneShotOptions& options, const PrunableRun& run,
                        int64_t samples);

/// Adds the fields of such a record that are set, by their names in the config.
void AddTo(JsonObject& json, const proto::Pruning& record);

}  // namespace twofour::train
