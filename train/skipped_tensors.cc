#include "twofour/train/skipped_tensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/core/note_fault.h"
#include "twofour/nn/state_dict.h"

namespace twofour::train {
namespace {

/// Parameters are f32; buffers and optimizer states use the other types, too.
bool IsOfModels(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kF64 || dtype == DType::kI32 || dtype == DType::kBool;
}

}  // namespace

void SkipForeignTypes(SafetensorsFile& file) {
  std::vector<NamedTensor> kept;
  kept.reserve(file.tensors.size());
  for (NamedTensor& named : file.tensors) {
    const Tensor& tensor = named.tensor;
    if (IsOfModels(tensor.dtype())) {
      kept.push_back(std::move(named));
    } else {
      file.skipped.push_back({std::move(named.name),
                              std::string(InfoOf(tensor.dtype()).safetensors_name),
                              {tensor.shape().begin(), tensor.shape().end()}});
    }
  }
  file.tensors = std::move(kept);
}

void RequireNoneNeeded(const std::vector<SkippedTensor>& skipped, nn::Module& model, const std::string& source) {
  if (skipped.empty()) return;
  const std::vector<NamedTensor> state = nn::StateDict(model);
  std::vector<std::string> faults;
  for (const SkippedTensor& tensor : skipped) {
    const auto needed =
        std::ranges::find_if(state, [&](const NamedTensor& named) { return named.name == tensor.name; });
    if (needed == state.end()) continue;
    faults.push_back(fmt::format("{}: tensor '{}': {}, the model expects {} {}", source, tensor.name, Describe(tensor),
                                 NameOf(needed->tensor.dtype()), ToString(needed->tensor.shape())));
  }
  ThrowFaults(faults);
}

}  // namespace twofour::train
