#include "twofour/nn/prunable_linears.h"

#include <fmt/format.h>

#include <algorithm>
#include <typeinfo>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/nn/linear.h"
#include "twofour/nn/name_choice.h"

namespace twofour::nn {
namespace {

/// The first other name under which the tree has the linear's weight, or nothing.
std::string ReasonOfSharing(const std::string& name, const Tensor& weight, const std::vector<NamedTensor>& parameters) {
  const std::string own = name.empty() ? "weight" : name + ".weight";
  for (const NamedTensor& other : parameters) {
    if (other.tensor.IsSameStorage(weight) && other.name != own) {
      return fmt::format("shares its weight with {}", other.name);
    }
  }
  return "";
}

/// The module if it has the weight of a linear; with a null module if it is none.
PrunableLinear AsLinear(const std::string& name, Module& module) {
  if (const auto* const linear = dynamic_cast<const Linear*>(&module)) return {name, &module, linear->weight()};
  auto* const masked = dynamic_cast<SemiSparseLinear*>(&module);
  if (masked == nullptr || masked->options().searches) return {};
  return {name, &module, masked->weight(), masked};
}

std::string ReasonOfLinear(const PrunableLinear& linear, const PrunableChoice& choice) {
  const std::type_info& type = typeid(*linear.module);
  if (type != typeid(Linear) && type != typeid(SemiSparseLinear)) {
    return fmt::format("is a {}", linear.module->type_name());
  }
  if (linear.weight.dtype() != DType::kF32) {
    return fmt::format("weight is {}, only f32 is {}", NameOf(linear.weight.dtype()), choice.done);
  }
  const int64_t multiple_of = choice.multiple_of;
  const bool fits = linear.weight.dim(0) % multiple_of == 0 && linear.weight.dim(1) % multiple_of == 0;
  return fits ? "" : fmt::format("its sizes are not both multiples of {}", multiple_of);
}

/// Each reason once, with the name of its linear or how many have it: "4 linears: ...; head: ...".
std::string Reasons(const std::vector<SwapEntry>& entries) {
  std::vector<std::pair<const SwapEntry*, int64_t>> groups;  // The first with a reason, and how many have it.
  for (const SwapEntry& entry : entries) {
    const auto same = [&entry](const auto& group) { return group.first->reason == entry.reason; };
    const auto found = std::ranges::find_if(groups, same);
    if (found == groups.end()) {
      groups.emplace_back(&entry, 1);
    } else {
      ++found->second;
    }
  }
  std::string text;
  for (const auto& [first, count] : groups) {
    text += text.empty() ? "" : "; ";
    text += count == 1 ? fmt::format("{}: {}", first->name, first->reason)
                       : fmt::format("{} linears: {}", count, first->reason);
  }
  return text;
}

}  // namespace

std::vector<PrunableLinear> FindPrunableLinears(Module& root, const PrunableChoice& choice,
                                                std::vector<SwapEntry>* kept_dense) {
  const NameChoice names(choice.include, choice.exclude);
  const std::vector<NamedTensor> parameters = root.NamedParameters();
  std::vector<PrunableLinear> found;
  std::vector<SwapEntry> others;
  root.VisitModules([&](const std::string& name, Module& module) {
    PrunableLinear linear = AsLinear(name, module);
    if (linear.module == nullptr) return;
    std::string reason = names.ReasonAgainst(name);
    if (reason.empty()) reason = ReasonOfLinear(linear, choice);
    if (reason.empty()) reason = ReasonOfSharing(name, linear.weight, parameters);
    if (reason.empty()) {
      found.push_back(std::move(linear));
    } else {
      others.push_back({name, linear.weight.dim(0), linear.weight.dim(1), std::move(reason)});
    }
  });
  if (found.empty()) {
    if (others.empty()) {
      throw Error(fmt::format("the model has no linears, expected some that can be {}", choice.done));
    }
    throw Error(fmt::format("none of the {} linears is to be {}: {}", others.size(), choice.done, Reasons(others)));
  }
  if (kept_dense != nullptr) kept_dense->insert(kept_dense->end(), others.begin(), others.end());
  return found;
}

}  // namespace twofour::nn
