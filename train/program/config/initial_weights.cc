#include "twofour/train/program/config/initial_weights.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/core/io/file_system.h"
#include "twofour/core/io/safetensors.h"
#include "twofour/core/state_reader.h"
#include "twofour/nn/state_dict.h"
#include "twofour/nn/swap.h"
#include "twofour/sparse/mask_fit.h"
#include "twofour/train/exchange/quantized_weights.h"
#include "twofour/train/finite_check.h"
#include "twofour/train/program/config/in_field.h"
#include "twofour/train/skipped_tensors.h"

namespace twofour::train {
namespace {

constexpr std::string_view kMask = "weight_mask";
constexpr std::string_view kScale = "weight_mask_scale";

using Masks = std::map<std::string, std::vector<NamedTensor>>;

/// Moves tensors that belong to masks out of `tensors`. Example: "a.weight_mask_step", if there is a parameter
/// "a.weight".
Masks TakeMasks(std::vector<NamedTensor>& tensors, nn::Module& model) {
  Masks masks;
  std::vector<NamedTensor> rest;
  std::map<std::string, bool> parameters;
  for (const NamedTensor& parameter : model.NamedParameters()) parameters[parameter.name] = true;
  for (NamedTensor& named : tensors) {
    const size_t at = named.name.rfind("_mask");
    if (at == std::string::npos || !parameters.contains(named.name.substr(0, at))) {
      rest.push_back(std::move(named));
      continue;
    }
    const size_t dot = named.name.rfind('.', at);
    const std::string linear = dot == std::string::npos ? "" : named.name.substr(0, dot);
    masks[linear].push_back({named.name.substr(dot == std::string::npos ? 0 : dot + 1), named.tensor});
  }
  tensors = std::move(rest);
  return masks;
}

/// Masks of the model's linears that other programs may have saved in element types that twofour does not have.
std::map<std::string, std::string> UnreadMasks(const std::vector<SkippedTensor>& skipped, nn::Module& model) {
  std::map<std::string, std::string> masks;
  for (const NamedTensor& parameter : model.NamedParameters()) {
    for (const SkippedTensor& tensor : skipped) {
      if (tensor.name != parameter.name + "_mask" || !tensor.name.ends_with(kMask)) continue;
      const size_t linear = tensor.name.size() - kMask.size();
      masks[tensor.name.substr(0, linear == 0 ? 0 : linear - 1)] = Describe(tensor);
    }
  }
  return masks;
}

const Tensor* Find(const std::vector<NamedTensor>& tensors, std::string_view name) {
  const auto found = std::ranges::find(tensors, name, &NamedTensor::name);
  return found == tensors.end() ? nullptr : &found->tensor;
}

/// Reads the mask of the linear `name`. `tensors` are that linear's tensors in the file. Adds a fault to `reader` if
/// the linear cannot begin with the mask.
StateCommit ReadMask(const std::string& name, nn::SemiSparseLinear& layer, const std::vector<NamedTensor>& tensors,
                     StateReader& reader) {
  const std::string full_name = fmt::format("{}.{}", name, kMask);
  const Tensor* mask = Find(tensors, kMask);
  // Where masks are given, a linear without one is dense as yet.
  if (mask == nullptr && !layer.options().searches) return [] {};
  if (mask == nullptr) {
    reader.Fault(full_name, "no mask in the file, expected one for each sparse linear");
    return nullptr;
  }
  const size_t faults = reader.fault_count();
  StateCommit commit = layer.ReadBuffers(reader, name + ".");
  if (reader.fault_count() > faults) return nullptr;
  // Where masks are not searched for, the plan is what they are to become.
  const auto why = layer.options().searches ? sparse::WhyUnfit(sparse::Mask::FromTensor(*mask), layer.options().plan, 0)
                                            : std::nullopt;
  if (why) reader.Fault(full_name, *why);
  const bool soft = layer.options().soft_threshold;
  if (soft != (Find(tensors, kScale) != nullptr)) {
    reader.Fault(full_name, fmt::format("{} {}, expected a run {} sparsity.soft_threshold", soft ? "no" : "has a",
                                        kScale, soft ? "with" : "without"));
  }
  return commit;
}

/// The tensors of the file's masks that become part of the model. Ages and steps are left out, because the run begins
/// at step 0.
std::vector<NamedTensor> MasksToRead(const InitialWeights& initial,
                                     const std::vector<nn::NamedSemiSparseLinear>& layers) {
  std::vector<NamedTensor> state;
  for (const auto& [name, layer] : layers) {
    const auto found = initial.masks.find(name);
    if (found == initial.masks.end()) continue;
    for (const NamedTensor& tensor : found->second) {
      if (tensor.name == kMask || (tensor.name == kScale && layer->options().soft_threshold)) {
        state.push_back({name + "." + tensor.name, tensor.tensor});
      }
    }
  }
  return state;
}

/// "4 linears (a, b, c and 1 more)"
std::string LinearsWithMasks(const InitialWeights& initial) {
  constexpr size_t kMost = 8;
  std::vector<std::string> names;
  for (const auto& [name, tensors] : initial.masks) names.push_back(name);
  for (const auto& [name, type] : initial.unread_masks) names.push_back(name);
  const size_t all = names.size();
  names.resize(std::min(all, kMost));
  return fmt::format("{} linear{} ({}{})", all, all == 1 ? "" : "s", fmt::join(names, ", "),
                     all > kMost ? fmt::format(" and {} more", all - kMost) : "");
}

InitialWeights ReadInitialWeights(const std::string& path, nn::Module& model) {
  SafetensorsFile file = LoadSafetensors(FileSystem::Default(), path);
  RequireNoQuantizedWeights(file, path);
  SkipForeignTypes(file);
  RequireNoneNeeded(file.skipped, model, path);
  InitialWeights initial{path, TakeMasks(file.tensors, model), UnreadMasks(file.skipped, model)};
  nn::LoadStateDict(model, file.tensors, path);
  RequireFiniteTensors(path, model.NamedParameters());
  return initial;
}

void ReadMasks(const InitialWeights& initial, nn::Module& model) {
  if (initial.masks.empty() && initial.unread_masks.empty()) {
    throw Error(fmt::format("{}: holds no masks, expected those of a sparse run, saved without checkpoint.save_pruned",
                            initial.path));
  }
  const std::vector<nn::NamedSemiSparseLinear> layers = nn::FindSemiSparseLinears(model);
  StateReader reader(MasksToRead(initial, layers), initial.path);
  for (const auto& [name, tensors] : initial.masks) {
    if (std::ranges::find(layers, name, &nn::NamedSemiSparseLinear::name) != layers.end()) continue;
    reader.Fault(fmt::format("{}.{}", name, kMask), "the linear is dense here, expected a sparse one");
  }
  std::vector<StateCommit> commits;
  for (const auto& [name, layer] : layers) {
    const auto unread = initial.unread_masks.find(name);
    if (unread != initial.unread_masks.end()) {
      reader.Fault(fmt::format("{}.{}", name, kMask), unread->second + ", expected BOOL");
      continue;
    }
    const auto found = initial.masks.find(name);
    const std::vector<NamedTensor> none;
    commits.push_back(ReadMask(name, *layer, found == initial.masks.end() ? none : found->second, reader));
  }
  reader.Finish(nn::kUnknownTensor);
  for (const StateCommit& commit : commits) commit();
}

}  // namespace

InitialWeights LoadInitialWeights(const std::string& path, nn::Module& model) {
  return InField("initial_weights", [&] { return ReadInitialWeights(path, model); });
}

void TakeOverMasks(const InitialWeights& initial, nn::Module& model) {
  InField("initial_masks", [&] { ReadMasks(initial, model); });
}

std::string InitialMasksLine(const InitialWeights& initial, const proto::Config& config) {
  if (initial.masks.empty() && initial.unread_masks.empty()) return "";
  const std::string linears = LinearsWithMasks(initial);
  if (config.initial_masks()) return fmt::format("initial_masks: those of {} in {}\n", linears, initial.path);
  const proto::Sparsity& sparsity = config.sparsity();
  const bool masks = sparsity.enabled() && sparsity.apply() && sparsity.target() == proto::Sparsity::WEIGHT;
  return fmt::format("initial_weights: the masks of {} in {} are not taken over: {}\n", linears, initial.path,
                     config.has_finetune()   ? "finetune finds masks of its own, which may differ"
                     : config.has_one_shot() ? "all weights are pruned; initial_masks=true counts masked ones as zero"
                     : masks                 ? "new ones are found, which may differ; initial_masks=true keeps them"
                             : "this run begins with all of the weights, of which its run computed with the masked "
                               "ones; checkpoint.save_pruned=true there saves those");
}

}  // namespace twofour::train
