#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "twofour/nn/module.h"

#include "config.pb.h"

namespace twofour::train {

/// What a file of weights holds besides the weights.
struct InitialWeights {
  std::string path;
  /// What belongs to masks, by the name of its linear, under the names of nn::SemiSparseLinear's buffers.
  std::map<std::string, std::vector<NamedTensor>> masks = {};
  /// Masks of element types that twofour lacks, by the same names, as Describe says them.
  std::map<std::string, std::string> unread_masks = {};
};

/// Copies the weights of a run's model.safetensors, or of another file with the same tensors, into a model whose
/// linears are not swapped yet. Returns the masks in the file and does not use them. Throws Error naming the file and
/// every tensor that is missing, of another shape or type, or not the model's; the model is then as it was. Tensors of
/// element types that twofour lacks are passed over where the model has none of their name.
InitialWeights LoadInitialWeights(const std::string& path, nn::Module& model);

/// Gives each sparse linear of `model`, swapped by now and not trained yet, its mask in the file: the model then
/// computes what the file's run computed. Throws Error with a line for every mask that is missing, that has no sparse
/// linear to go to, that is of another shape, or that the plan of its linear cannot begin with; the model is then as it
/// was.
void TakeOverMasks(const InitialWeights& initial, nn::Module& model);

/// What a run is told, as a line, of masks in the file, which it takes over or not; empty where there are none.
std::string InitialMasksLine(const InitialWeights& initial, const proto::Config& config);

}  // namespace twofour::train
