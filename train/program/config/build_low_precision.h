#pragma once

#include <optional>

#include "twofour/nn/low_precision.h"
#include "twofour/nn/module.h"
#include "twofour/nn/swap.h"

#include "config.pb.h"

namespace twofour::train {

/// What `training.low_precision` says, with what follows from the precision; nothing for FP32 and BF16.
std::optional<nn::LowPrecisionOptions> BuildLowPrecision(const proto::Config& config);

/// Makes the linears of a model compute in FP8 or NVFP4, if that is the precision. To be called after swaps. There may
/// be none, as in a quantised run, whose linears are packed.
std::optional<nn::SwapReport> RoundLinears(const proto::Config& config, nn::Module& model);

/// Throws Error, with the reasons, if a run in this precision would round nothing.
void RequireRounded(const nn::SwapReport& report, const proto::Config& config);

}  // namespace twofour::train
