#pragma once

#include <memory>
#include <optional>

#include "twofour/nn/module.h"
#include "twofour/nn/swap.h"
#include "twofour/optim/optimizer.h"
#include "twofour/train/program/config/initial_weights.h"

#include "config.pb.h"

namespace twofour::train {

/// What StartTraining makes or loads for a model.
struct TrainingStart {
  std::unique_ptr<optim::Optimizer> optimizer;
  std::optional<InitialWeights> initial;  ///< Only for a new run whose config names a file.
  std::optional<nn::SwapReport> swapped;  ///< Only for a sparse run.
  std::optional<nn::SwapReport> adapted;  ///< Only with `finetune`: which of the swapped linears got an adapter.
  std::optional<nn::SwapReport> rounded;  ///< Only in FP8 and NVFP4: which linears compute in it.
};

/// Whether a run is new and takes the initial weights and masks of its config, or continues from a checkpoint.
enum class Beginning { kNew, kResumed };

/// Prepares the newly built model of a valid config for training: loads the initial weights, swaps the linears,
/// gives them adapters, takes over the initial masks and makes the optimizer. Throws Error on files that do not fit,
/// and if a sparse run has no linear that can be swapped.
TrainingStart StartTraining(const proto::Config& config, nn::Module& model, Beginning beginning);

}  // namespace twofour::train
