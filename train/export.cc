#include "twofour/train/export.h"

#include <map>
#include <string>

#include "twofour/nn/swap.h"

namespace twofour::train {
namespace {

/// Whether a semi-sparse layer's buffer decides what the trained layer computes, and not only how training goes on.
bool IsPartOfResult(const std::string& buffer) { return buffer == "weight_mask" || buffer == "weight_mask_scale"; }

}  // namespace

std::vector<NamedTensor> ExportModel(nn::Module& model, ExportWeights weights) {
  std::vector<NamedTensor> tensors = model.NamedParameters();
  std::map<std::string, nn::SemiSparseLinear*> masked;
  for (const auto& [name, layer] : nn::FindSemiSparseLinears(model)) {
    if (layer->options().apply) masked[name + "."] = layer;
  }
  if (weights == ExportWeights::kDenseWithMasks) {
    for (const auto& [prefix, layer] : masked) {
      for (const NamedTensor& buffer : layer->Buffers()) {
        if (IsPartOfResult(buffer.name)) tensors.push_back({prefix + buffer.name, buffer.tensor});
      }
    }
    return tensors;
  }
  for (NamedTensor& named : tensors) {
    const auto found = masked.find(named.name.substr(0, named.name.rfind('.') + 1));
    if (found != masked.end() && named.name.ends_with(".weight")) named.tensor = found->second->EffectiveWeight();
  }
  return tensors;
}

}  // namespace twofour::train
