#include "twofour/train/export.h"

#include <map>
#include <string>

#include "twofour/nn/lora_swap.h"
#include "twofour/nn/swap.h"

namespace twofour::train {
namespace {

/// Whether a semi-sparse layer's buffer decides what the trained layer computes, and not only how training goes on.
bool IsPartOfResult(const std::string& buffer) { return buffer == "weight_mask" || buffer == "weight_mask_scale"; }

/// Puts the weight that an adapted linear computes with in the place of its frozen weight and its adapter. Where its
/// mask drops, this is 0, because the frozen weight there means nothing without the adapter.
void PutMergedWeight(const std::string& name, nn::LoraLinear& layer, std::vector<NamedTensor>& tensors) {
  const std::string prefix = name.empty() ? "" : name + ".";
  std::erase_if(tensors, [&](const NamedTensor& named) { return named.name.starts_with(prefix + "lora_"); });
  for (NamedTensor& named : tensors) {
    if (named.name == prefix + "weight") named.tensor = layer.EffectiveWeight();
  }
}

}  // namespace

std::vector<NamedTensor> ExportModel(nn::Module& model, ExportWeights weights) {
  std::vector<NamedTensor> tensors = model.NamedParameters();
  for (const auto& [name, layer] : nn::FindLoraLinears(model)) PutMergedWeight(name, *layer, tensors);
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
