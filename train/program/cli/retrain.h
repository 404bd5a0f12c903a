#pragma once

#include <string>

#include "config.pb.h"

namespace twofour::train {

/// The config of "train, prune, retrain" (Mishra et al., "Accelerating Sparse Deep Neural Networks", 2021): that of the
/// finished dense run in folder `from`, with sparsity enabled, begun from its final weights, and with the masks of
/// those weights from the first step to the last. Throws Error when the run is not finished or not dense.
proto::Config RetrainConfig(const std::string& from);

}  // namespace twofour::train
