#pragma once

#include <string>

#include "config.pb.h"

namespace twofour::train {

/// The config of a run that follows "train, prune, retrain" (Mishra et al., "Accelerating Sparse Deep Neural Networks",
/// 2021). It is the config of the finished dense run in folder `from`, but starts from that run's final weights, with
/// sparsity enabled and the masks of those weights frozen. Of a run that `trainer prune` made, the masks are the ones
/// that it found. Throws Error if the run is not finished, or is sparse for another reason.
proto::Config RetrainConfig(const std::string& from);
/// Throws Error if a change of that config has taken the pruning from it.
void RequirePruningOnce(const proto::Config& config);

}  // namespace twofour::train
