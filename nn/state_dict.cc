#include "twofour/nn/state_dict.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "twofour/core/error.h"

namespace twofour::nn {
namespace {

struct BufferTarget {
  Module* module;
  std::string local_name;
};

/// The module and local name that a full buffer name stands for.
BufferTarget FindBuffer(Module& root, const std::string& name) {
  const size_t dot = name.rfind('.');
  const std::string module_name = dot == std::string::npos ? "" : name.substr(0, dot);
  BufferTarget target{nullptr, dot == std::string::npos ? name : name.substr(dot + 1)};
  root.VisitModules([&](const std::string& visited, Module& module) {
    if (visited == module_name && module.HasBuffer(target.local_name)) target.module = &module;
  });
  return target;
}

void AddFault(std::string& faults, const std::string& source, const std::string& name, const std::string& what) {
  faults += fmt::format("{}{}: tensor '{}': {}", faults.empty() ? "" : "\n", source, name, what);
}

}  // namespace

std::vector<NamedTensor> StateDict(Module& root) {
  std::vector<NamedTensor> state = root.NamedParameters();
  root.VisitModules([&](const std::string& name, Module& module) {
    for (NamedTensor& buffer : module.Buffers()) {
      state.push_back({name.empty() ? buffer.name : name + "." + buffer.name, std::move(buffer.tensor)});
    }
  });
  return state;
}

namespace {

/// What loading a state dict will write, found faultless.
struct LoadPlan {
  std::vector<std::pair<Tensor, Tensor>> copies;  // (parameter, its new elements)
  std::vector<std::pair<BufferTarget, Tensor>> buffers;
};

LoadPlan PlanLoad(Module& root, const std::vector<NamedTensor>& state, const std::string& source) {
  std::map<std::string, Tensor> parameters;
  for (NamedTensor& parameter : root.NamedParameters()) parameters[parameter.name] = parameter.tensor;
  std::string faults;
  LoadPlan plan;
  std::set<std::string> seen;
  for (const NamedTensor& named : state) {
    if (!seen.insert(named.name).second) {
      AddFault(faults, source, named.name, "is there twice");
      continue;
    }
    const auto found = parameters.find(named.name);
    if (found != parameters.end()) {
      if (Describe(found->second) != Describe(named.tensor)) {
        AddFault(faults, source, named.name,
                 fmt::format("{}, the model expects {}", Describe(named.tensor), Describe(found->second)));
      }
      plan.copies.emplace_back(found->second, named.tensor);
      parameters.erase(found);
      continue;
    }
    BufferTarget target = FindBuffer(root, named.name);
    if (target.module == nullptr) {
      AddFault(faults, source, named.name, "the model has no such tensor");
      continue;
    }
    try {
      target.module->CheckBuffer(target.local_name, named.tensor);
    } catch (const Error& error) {
      AddFault(faults, source, named.name, error.what());
    }
    plan.buffers.emplace_back(std::move(target), named.tensor);
  }
  for (const auto& [name, parameter] : parameters) {
    AddFault(faults, source, name, fmt::format("missing, the model expects {}", Describe(parameter)));
  }
  if (!faults.empty()) throw Error(faults);
  return plan;
}

}  // namespace

void CheckStateDict(Module& root, const std::vector<NamedTensor>& state, const std::string& source) {
  PlanLoad(root, state, source);
}

void LoadStateDict(Module& root, const std::vector<NamedTensor>& state, const std::string& source) {
  LoadPlan plan = PlanLoad(root, state, source);
  for (auto& [parameter, elements] : plan.copies) parameter.CopyFrom(elements);
  root.VisitModules([](const std::string&, Module& module) { module.ResetBuffers(); });
  // By name: a buffer may refine one whose name is its prefix (weight_mask, weight_mask_age).
  std::stable_sort(plan.buffers.begin(), plan.buffers.end(),
                   [](const auto& a, const auto& b) { return a.first.local_name < b.first.local_name; });
  for (auto& [target, tensor] : plan.buffers) target.module->LoadBuffer(target.local_name, tensor);
}

}  // namespace twofour::nn
