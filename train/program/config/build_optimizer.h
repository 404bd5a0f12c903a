#pragma once

#include <memory>

#include "twofour/nn/module.h"
#include "twofour/optim/optimizer.h"

#include "config.pb.h"

namespace twofour::train {

/// The optimizer of a valid config for a model's parameters, in groups by role: token embeddings, the head, other
/// matrices, and vectors (biases and norms). Throws Error on settings for a role that no parameter has.
std::unique_ptr<optim::Optimizer> BuildOptimizer(const proto::Config& config, nn::Module& model);

}  // namespace twofour::train
