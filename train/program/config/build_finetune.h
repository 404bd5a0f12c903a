#pragma once

#include <optional>

#include "twofour/nn/lora_stages.h"
#include "twofour/nn/lora_swap.h"
#include "twofour/nn/module.h"

#include "config.pb.h"

namespace twofour::train {

// The options that the `finetune` of any config describes, valid or not. ValidateConfig calls Check on them.

nn::LoraSwapOptions BuildLoraSwapOptions(const proto::Config& config);
/// The stages of a run of training.steps.
nn::LoraStages StagesOf(const proto::Config& config);

/// Gives adapters to the pruned linears of `model` that a valid config names, and freezes all other parameters. Throws
/// Error if there are none, or if the rank is too large for one of them.
nn::SwapReport AddAdapters(const proto::Config& config, nn::Module& model);

}  // namespace twofour::train
