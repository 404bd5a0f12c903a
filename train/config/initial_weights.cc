#include "twofour/train/config/initial_weights.h"

#include <set>
#include <utility>
#include <vector>

#include "twofour/core/io/file_system.h"
#include "twofour/core/io/safetensors.h"
#include "twofour/nn/state_dict.h"
#include "twofour/train/skipped_tensors.h"

namespace twofour::train {

void LoadInitialWeights(const std::string& path, nn::Module& model) {
  std::set<std::string> parameters;
  for (const NamedTensor& parameter : model.NamedParameters()) parameters.insert(parameter.name);
  const auto belongs_to_mask = [&](const NamedTensor& tensor) {
    const size_t at = tensor.name.rfind("_mask");
    return at != std::string::npos && parameters.contains(tensor.name.substr(0, at));
  };
  SafetensorsFile file = LoadSafetensors(FileSystem::Default(), path);
  RequireNoneNeeded(file.skipped, model, path);
  std::vector<NamedTensor> tensors = std::move(file.tensors);
  std::erase_if(tensors, belongs_to_mask);
  nn::LoadStateDict(model, tensors, path);
}

}  // namespace twofour::train
