#pragma once

#include <optional>

#include "twofour/nn/low_precision.h"
#include "twofour/nn/module.h"
#include "twofour/nn/swap.h"

#include "config.pb.h"

namespace twofour::train {

/// What `training.low_precision` says, with what follows from the precision; nothing for FP32 and BF16.
std::optional<nn::LowPrecisionOptions> BuildLowPrecision(const proto::Config& config);

/// Makes the linears of a model compute in FP8 or NVFP4, if that is the precision. To be called after swaps.
std::optional<nn::SwapReport> RoundLinears(const proto::Config& config, nn::Module& model);

}  // namespace twofour::train
