#include "twofour/nn/state_dict.h"

#include <fmt/format.h>

#include <cstring>
#include <unordered_map>
#include <utility>

#include "twofour/core/shape.h"

namespace twofour::nn {
namespace {

/// "blocks.0.c_fc." for the module of that name; nothing for the root.
std::string PrefixOf(const std::string& module) { return module.empty() ? "" : module + "."; }

/// A parameter and its new elements; undefined if they do not fit.
struct Load {
  NamedTensor parameter;
  Tensor elements;
};

/// Takes the elements of `parameter`.
Load TakeElements(const NamedTensor& parameter, StateReader& reader) {
  const std::string expected = fmt::format("the model expects {}", Describe(parameter.tensor));
  const Tensor elements = reader.Take(parameter.name);
  if (!elements.defined()) {
    reader.Fault(parameter.name, "missing, " + expected);
  } else if (Describe(elements) != Describe(parameter.tensor)) {
    reader.Fault(parameter.name, fmt::format("{}, {}", Describe(elements), expected));
    return {parameter, {}};
  }
  return {parameter, elements};
}

bool HaveSameBits(const Tensor& a, const Tensor& b) {
  const auto bytes = static_cast<size_t>(a.numel()) * SizeOf(a.dtype());
  return bytes == 0 || a.IsSameStorage(b) || std::memcmp(a.raw(), b.raw(), bytes) == 0;
}

/// Makes sure that the loads can be carried out in any order: no load writes what another one reads, and those that
/// write to the same elements write the same.
void Disentangle(std::vector<Load>& loads, StateReader& reader) {
  std::unordered_map<const Storage*, const Load*> writer;  // The first load that writes there.
  for (const Load& load : loads) {
    if (!load.elements.defined()) continue;
    const Load& first = *writer.emplace(load.parameter.tensor.impl()->storage.get(), &load).first->second;
    if (HaveSameBits(load.elements, first.elements)) continue;
    reader.Fault(load.parameter.name, fmt::format("differs from '{}', with which it shares its elements in the model",
                                                  first.parameter.name));
  }
  for (Load& load : loads) {
    const bool overwritten = load.elements.defined() && writer.contains(load.elements.impl()->storage.get());
    if (overwritten && !load.elements.IsSameStorage(load.parameter.tensor)) load.elements = load.elements.Clone();
  }
}

}  // namespace

std::vector<NamedTensor> StateDict(Module& root) {
  std::vector<NamedTensor> state = root.NamedParameters();
  root.VisitModules([&](const std::string& name, Module& module) {
    for (NamedTensor& buffer : module.Buffers()) {
      state.push_back({PrefixOf(name) + buffer.name, std::move(buffer.tensor)});
    }
  });
  return state;
}

StateCommit ReadStateDict(Module& root, StateReader& reader) {
  std::vector<Load> loads;
  for (const NamedTensor& parameter : root.NamedParameters()) loads.push_back(TakeElements(parameter, reader));
  Disentangle(loads, reader);
  std::vector<StateCommit> commits;
  root.VisitModules([&](const std::string& name, Module& module) {
    if (StateCommit commit = module.ReadBuffers(reader, PrefixOf(name))) commits.push_back(std::move(commit));
  });
  return [loads = std::move(loads), commits = std::move(commits)]() mutable {
    for (Load& load : loads) load.parameter.tensor.CopyFrom(load.elements);
    for (const StateCommit& commit : commits) commit();
  };
}

void LoadStateDict(Module& root, const std::vector<NamedTensor>& state, const std::string& source) {
  StateReader reader(state, source);
  const StateCommit commit = ReadStateDict(root, reader);
  reader.Finish(kUnknownTensor);
  commit();
}

}  // namespace twofour::nn
