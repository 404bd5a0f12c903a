#pragma once

#include <memory>
#include <optional>

#include "twofour/nn/module.h"
#include "twofour/nn/swap.h"
#include "twofour/optim/optimizer.h"
#include "twofour/train/program/config/initial_weights.h"

#include "config.pb.h"

namespace twofour::train {

/// What stands beside a model that is ready for its first step.
struct TrainingStart {
  std::unique_ptr<optim::Optimizer> optimizer;
  std::optional<InitialWeights> initial;  ///< What the model began with, where the config names a file.
  std::optional<nn::SwapReport> swapped;  ///< Of a sparse run.
};

/// Whether a run begins, with the initial weights and masks of its config, or goes on from a checkpoint.
enum class Beginning { kNew, kResumed };

/// From the model of a valid config, as it was built, to the model that is trained: loads the initial weights, makes
/// the optimizer, swaps the linears and takes over the initial masks. Throws Error on files that do not fit, and where
/// no linear can be swapped.
TrainingStart StartTraining(const proto::Config& config, nn::Module& model, Beginning beginning);

}  // namespace twofour::train
