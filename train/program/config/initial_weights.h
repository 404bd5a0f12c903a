#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "twofour/nn/module.h"

#include "config.pb.h"

namespace twofour::train {

/// What a file of weights holds in addition to the weights.
struct InitialWeights {
  std::string path;
  /// The tensors that belong to masks, by the name of their linear. Each has the name of a buffer of
  /// nn::SemiSparseLinear.
  std::map<std::string, std::vector<NamedTensor>> masks = {};
  /// Masks of element types that twofour does not have, by the same names, in the words of Describe.
  std::map<std::string, std::string> unread_masks = {};
};

/// Copies the weights of a run's model.safetensors, or of another file with the same tensors, into a model whose
/// linears are not swapped yet. Returns the masks in the file but does not use them. Throws Error that names the file
/// and every tensor that is missing, has another shape or type, or is not part of the model; the model is then
/// unchanged. Also throws Error, once the model is changed, if a weight is not finite. Tensors of element types that
/// twofour does not have are ignored if the model has no tensor of that name.
InitialWeights LoadInitialWeights(const std::string& path, nn::Module& model);

/// Gives each sparse linear of `model` its mask from the file, so that the model computes what the file's run computed.
/// The linears must be swapped already and not trained yet. Throws Error with a line for every mask that is missing,
/// that has no sparse linear to go to, that has another shape, or that the plan of its linear cannot begin with. The
/// model is then unchanged.
void TakeOverMasks(const InitialWeights& initial, nn::Module& model);

/// A line that tells the user whether the run takes over the masks in the file. Empty if the file has none.
std::string InitialMasksLine(const InitialWeights& initial, const proto::Config& config);

}  // namespace twofour::train
