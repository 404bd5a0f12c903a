#pragma once

#include <cstdint>

#include "twofour/nn/swap.h"

#include "config.pb.h"

namespace twofour::train {

/// The optimizer step that is meant, of `total_steps`; `otherwise` where none is.
int64_t StepOf(const proto::When& when, int64_t total_steps, int64_t otherwise);

/// Steps of the dense warm-up and of the dense finish in a run of `total_steps`: where there is one, it takes a
/// step at least, but for the only one of a run.
int64_t DenseWarmupSteps(const proto::Sparsity& sparsity, int64_t total_steps);
int64_t DenseFinishSteps(const proto::Sparsity& sparsity, int64_t total_steps);

/// From the sparsity of a valid config to the options of the layer swap.
nn::SwapOptions BuildSwapOptions(const proto::Config& config);

/// Swaps the linears of `model` that a valid config wants to be sparse. Throws Error that says why for each linear when
/// there is none.
nn::SwapReport SwapLayers(const proto::Config& config, nn::Module& model);

}  // namespace twofour::train
