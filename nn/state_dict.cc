#include "twofour/nn/state_dict.h"

#include <fmt/format.h>

#include <utility>

#include "twofour/core/shape.h"

namespace twofour::nn {
namespace {

/// "blocks.0.c_fc." for the module of that name; nothing for the root.
std::string PrefixOf(const std::string& module) { return module.empty() ? "" : module + "."; }

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
  std::vector<std::pair<Tensor, Tensor>> copies;  // A parameter, and its new elements.
  for (const NamedTensor& parameter : root.NamedParameters()) {
    const Tensor elements = reader.Take(parameter.name);
    const std::string expected = fmt::format("the model expects {}", Describe(parameter.tensor));
    if (!elements.defined()) {
      reader.Fault(parameter.name, "missing, " + expected);
    } else if (Describe(elements) != Describe(parameter.tensor)) {
      reader.Fault(parameter.name, fmt::format("{}, {}", Describe(elements), expected));
    }
    copies.emplace_back(parameter.tensor, elements);
  }
  std::vector<StateCommit> commits;
  root.VisitModules([&](const std::string& name, Module& module) {
    if (StateCommit commit = module.ReadBuffers(reader, PrefixOf(name))) commits.push_back(std::move(commit));
  });
  return [copies = std::move(copies), commits = std::move(commits)]() mutable {
    for (auto& [parameter, elements] : copies) parameter.CopyFrom(elements);
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
