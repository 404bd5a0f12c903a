#include "twofour/train/adapter_files.h"

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "twofour/core/io/safetensors.h"
#include "twofour/nn/lora_swap.h"
#include "twofour/sparse/mask.h"
#include "twofour/train/exchange/adapter.h"
#include "twofour/train/export.h"

namespace twofour::train {
namespace {

/// The frozen weight of an adapted linear, with zeros where the mask drops.
Tensor BaseOf(nn::LoraLinear& layer) {
  const sparse::Mask& mask = layer.mask();
  return layer.runs_dense() ? layer.weight() : sparse::ApplyMask(layer.weight(), mask);
}

}  // namespace

void SaveAdapterFiles(FileSystem& files, const RunFiles& run, nn::Module& model, double alpha) {
  const std::vector<nn::NamedLoraLinear> layers = nn::FindLoraLinears(model);
  if (layers.empty()) return;
  Adapter adapter{.source = run.adapter().string(), .rank = layers.front().layer->lora_a().dim(0), .alpha = alpha};
  std::vector<NamedTensor> base = ExportModel(model, ExportWeights::kDenseWithMasks);
  for (const auto& [name, layer] : layers) {
    adapter.linears.push_back({name, layer->lora_a(), layer->lora_b()});
    std::ranges::find(base, name + ".weight", &NamedTensor::name)->tensor = BaseOf(*layer);
  }
  SaveSafetensors(files, run.adapter_base(), base, {{"format", "pt"}});
  SaveAdapter(files, run.adapter(), adapter);
}

void RemoveAdapterFiles(FileSystem& files, const RunFiles& run) {
  for (const std::filesystem::path& path : {run.adapter(), run.adapter_config(), run.adapter_base()}) {
    if (files.Exists(path)) files.RemoveAll(path);
  }
}

}  // namespace twofour::train
