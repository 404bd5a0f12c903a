#include "twofour/train/program/exchange/imported_tensors.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include "twofour/core/autograd.h"
#include "twofour/core/error.h"
#include "twofour/core/ops/layout.h"
#include "twofour/core/quote_for_message.h"
#include "twofour/nn/state_dict.h"
#include "twofour/train/exchange/tensor_match.h"
#include "twofour/train/finite_check.h"
#include "twofour/train/program/exchange/name_map.h"

namespace twofour::train {
namespace {

constexpr std::string_view kMask = "_mask";

/// How tensors of the source become parameters.
std::vector<TensorMatch> FindMatches(const ImportWishes& wishes, SafetensorsFile& file) {
  std::vector<std::string> names;
  for (const NamedTensor& named : file.tensors) names.push_back(named.name);
  for (const SkippedTensor& skipped : file.skipped) names.push_back(skipped.name);
  std::set<std::string> left_out;
  std::vector<TensorMatch> matches;
  if (!wishes.name_map.empty()) {
    MappedNames mapped = ApplyNameMapFile(wishes.name_map, names);
    matches = std::move(mapped.matches);
    left_out.insert(mapped.skipped.begin(), mapped.skipped.end());
  } else if (wishes.hugging_face) {
    matches = MatchesOf(*wishes.hugging_face, names);
    std::ranges::copy_if(names, std::inserter(left_out, left_out.end()), IsConstant);
  } else {
    for (const std::string& name : names) matches.push_back({.theirs = name, .ours = {name}});
  }
  std::erase_if(file.tensors, [&](const NamedTensor& named) { return left_out.contains(named.name); });
  std::erase_if(file.skipped, [&](const SkippedTensor& skipped) { return left_out.contains(skipped.name); });
  return matches;
}

/// A model's parameters by their names.
using Parameters = std::map<std::string, Tensor>;

/// Leaves out matches whose parameters the model lacks. Throws Error if it has some of them.
void KeepKnown(const std::string& path, const Parameters& parameters, std::vector<TensorMatch>& matches) {
  const auto is_unknown = [&](const std::string& ours) { return !parameters.contains(ours); };
  std::erase_if(matches, [&](const TensorMatch& match) {
    const auto unknown = std::ranges::count_if(match.ours, is_unknown);
    if (unknown == 0 || unknown == std::ssize(match.ours)) return unknown != 0;
    throw Error(fmt::format("{}: tensor {} becomes {}, of which the model has not all", path,
                            QuoteForMessage(match.theirs), TensorNames(match.ours)));
  });
}

/// Completes a state by what it lacks: a tied head gets the embedding's weight, and other parameters their own
/// elements. Returns the names of the latter.
std::vector<std::string> Complete(const Parameters& parameters, std::vector<NamedTensor>& state) {
  std::map<const Tensor::Impl*, Tensor> given;  // By the parameter's elements.
  std::set<std::string> names;
  for (const NamedTensor& named : state) {
    given.emplace(parameters.at(named.name).impl().get(), named.tensor);
    names.insert(named.name);
  }
  std::vector<std::string> missing;
  for (const auto& [name, parameter] : parameters) {
    if (names.contains(name)) continue;
    const auto twin = given.find(parameter.impl().get());
    if (twin == given.end()) missing.push_back(name);
    state.push_back({name, twin == given.end() ? parameter : twin->second});
  }
  return missing;
}

/// Gives the masks of the model's weights, and what belongs to them, our names.
void RenameMasks(const Parameters& parameters, const std::vector<TensorMatch>& matches, SafetensorsFile& file) {
  const NoGradGuard no_grad;
  std::map<std::string, const TensorMatch*> match_of;
  for (const TensorMatch& match : matches) {
    const std::string& ours = match.ours.front();
    const size_t end = ours.rfind(kMask);
    const bool is_mask = end != std::string::npos && parameters.contains(ours.substr(0, end));
    if (is_mask && match.ours.size() == 1) match_of.emplace(match.theirs, &match);
  }
  for (NamedTensor& named : file.tensors) {
    const auto found = match_of.find(named.name);
    if (found == match_of.end()) continue;
    named.name = found->second->ours.front();
    if (found->second->transposed && named.tensor.rank() == 2) named.tensor = Transpose(named.tensor);
  }
}

/// Takes the masks of the model's weights, and what belongs to them, out of a file.
std::vector<NamedTensor> TakeMasks(const Parameters& parameters, SafetensorsFile& file) {
  std::vector<NamedTensor> masks;
  std::erase_if(file.tensors, [&](const NamedTensor& named) {
    const size_t end = named.name.rfind(kMask);
    if (end == std::string::npos || !parameters.contains(named.name.substr(0, end))) return false;
    masks.push_back(named);
    return true;
  });
  return masks;
}

/// Throws Error if tensors are missing or surplus. With --partial there are notes instead, unless all are missing.
void Report(bool partial, const std::string& path, const Parameters& parameters,
            const std::vector<std::string>& missing, const std::vector<std::string>& surplus,
            std::vector<std::string>& notes) {
  if (partial) {
    if (missing.size() == parameters.size()) throw Error(fmt::format("{}: holds none of the model's tensors", path));
    if (!missing.empty()) {
      notes.push_back(fmt::format("{} tensors are missing and stay random: {}", missing.size(), TensorNames(missing)));
    }
    if (!surplus.empty()) {
      notes.push_back(fmt::format("{} tensors are left out: {}", surplus.size(), TensorNames(surplus)));
    }
    return;
  }
  std::vector<std::string> faults;
  if (!missing.empty()) {
    faults.push_back(fmt::format("{} of the model's tensors missing: {}", missing.size(), TensorNames(missing)));
  }
  if (!surplus.empty()) {
    faults.push_back(fmt::format("{} tensors that the model does not have: {}", surplus.size(), TensorNames(surplus)));
  }
  if (!faults.empty()) throw Error(fmt::format("{}: {}; --partial loads what fits", path, fmt::join(faults, "; ")));
}

}  // namespace

std::string TensorNames(const std::vector<std::string>& names) {
  constexpr size_t kMost = 5;
  std::vector<std::string> shown(names.begin(), names.begin() + std::ptrdiff_t(std::min(names.size(), kMost)));
  for (std::string& name : shown) name = QuoteForMessage(name);
  return fmt::format("{}{}", fmt::join(shown, ", "),
                     names.size() > kMost ? fmt::format(" and {} more", names.size() - kMost) : "");
}

std::vector<NamedTensor> GiveTensors(const ImportWishes& wishes, WeightSource& source, nn::Module& model,
                                     std::vector<std::string>& notes) {
  const std::string path = source.path.string();
  Parameters parameters;
  std::map<std::string, Shape> shapes;
  for (const NamedTensor& parameter : model.NamedParameters()) {
    parameters.emplace(parameter.name, parameter.tensor);
    shapes.emplace(parameter.name, parameter.tensor.shape());
  }
  std::vector<TensorMatch> matches = FindMatches(wishes, source.file);
  RenameMasks(parameters, matches, source.file);
  KeepKnown(path, parameters, matches);
  std::vector<NamedTensor> state = TakeMatched(source.file, matches, shapes, path);
  const std::vector<std::string> missing = Complete(parameters, state);
  std::vector<NamedTensor> masks;
  if (wishes.masks) masks = TakeMasks(parameters, source.file);
  std::vector<std::string> surplus;
  for (const NamedTensor& named : source.file.tensors) surplus.push_back(named.name);
  for (const SkippedTensor& skipped : source.file.skipped) surplus.push_back(skipped.name);
  Report(wishes.partial, path, parameters, missing, surplus, notes);
  nn::LoadStateDict(model, state, path);
  RequireFiniteTensors(path, model.NamedParameters());
  return masks;
}

}  // namespace twofour::train
