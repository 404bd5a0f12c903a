#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "twofour/nn/module.h"
#include "twofour/train/task.h"

#include "config.pb.h"

namespace twofour::train {

/// Scores of one linear's weight, f32 [out_features, in_features].
struct LayerScores {
  std::string name;
  Tensor scores;
};

/// The linears of a dense model that the sparsity of its config would prune, were it enabled, with their weights as
/// scores. Throws Error, beginning with `source`, if there are none.
std::vector<LayerScores> MagnitudeScores(const proto::Config& config, nn::Module& model, const std::string& source);

/// Replaces magnitudes by RIA, with activations of `batches` batches of the task's training data. Returns false, with
/// the scores as they were, if `stop` became true meanwhile.
bool UseRia(Task& task, int64_t batches, const std::atomic<bool>& stop, std::vector<LayerScores>& layers);

}  // namespace twofour::train
