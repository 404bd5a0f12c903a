#pragma once

#include "twofour/nn/one_shot_training.h"

#include "config.pb.h"

namespace twofour::train {

/// The rounds that the `one_shot` of any config describes, valid or not, of the linears that its `sparsity` chooses.
/// ValidateConfig calls Check on them.
nn::OneShotRounds BuildOneShotRounds(const proto::Config& config);

}  // namespace twofour::train
