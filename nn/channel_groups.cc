#include "twofour/nn/channel_groups.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/nn/gpt.h"
#include "twofour/nn/mlp.h"
#include "twofour/nn/mlp_stack.h"
#include "twofour/nn/residual_mlp.h"
#include "twofour/nn/semi_sparse_linear.h"
#include "twofour/nn/sparse_linear.h"

namespace twofour::nn {
namespace {

/// Which axis of a parameter, by the last two parts of its name, follows the features between blocks.
std::optional<int> ResidualAxis(std::string_view name) {
  static constexpr std::string_view kFirst[] = {"ln_1.weight",   "ln_1.bias",   "ln_2.weight",  "ln_2.bias",
                                                "ln_f.weight",   "ln_f.bias",   "norm.weight",  "norm.bias",
                                                "c_proj.weight", "c_proj.bias", "input.weight", "input.bias"};
  static constexpr std::string_view kSecond[] = {"wte.weight",    "wpe.weight",     "c_q.weight",
                                                 "c_k.weight",    "c_v.weight",     "c_fc.weight",
                                                 "c_gate.weight", "lm_head.weight", "head.weight"};
  static constexpr std::string_view kNone[] = {"c_q.bias",  "c_k.bias",    "c_v.bias",
                                               "c_fc.bias", "c_gate.bias", "head.bias"};
  const auto is = [name](std::string_view part) {
    return name.ends_with(part) && (name.size() == part.size() || name[name.size() - part.size() - 1] == '.');
  };
  if (std::ranges::any_of(kFirst, is)) return 0;
  if (std::ranges::any_of(kSecond, is)) return 1;
  if (std::ranges::any_of(kNone, is)) return std::nullopt;
  // A parameter that is left as it was would change what the model computes.
  throw Error(fmt::format("parameter '{}' has no known part in the channels between blocks", name));
}

std::string Joined(const std::string& parent, const std::string& name) {
  return parent.empty() ? name : parent + "." + name;
}

class GroupFinder {
 public:
  explicit GroupFinder(Module& model) : model_(model), named_(model.NamedParameters()) {}

  std::vector<ChannelGroup> Find() {
    model_.VisitModules([this](const std::string& name, Module& module) {
      if (dynamic_cast<const Mlp*>(&module) != nullptr) AddMlp(name);
      if (dynamic_cast<const MlpStack*>(&module) != nullptr) AddStack(name);
    });
    if (dynamic_cast<const Gpt*>(&model_) != nullptr || dynamic_cast<const ResidualMlp*>(&model_) != nullptr) {
      AddResidual();
    }
    return std::move(groups_);
  }

 private:
  const Tensor* ParameterNamed(const std::string& name) const {
    const auto found = std::ranges::find(named_, name, &NamedTensor::name);
    return found == named_.end() ? nullptr : &found->tensor;
  }

  void Use(const std::string& parameter, int axis, ChannelGroup& group) const {
    const Tensor* const tensor = ParameterNamed(parameter);
    if (tensor == nullptr) return;  // A linear may have no bias, and an MLP no gate.
    // A weight that two layers share has two names but must be reordered once.
    const auto is_same = [&](const ChannelUse& use) { return ParameterNamed(use.parameter)->IsSameStorage(*tensor); };
    if (std::ranges::any_of(group.uses, is_same)) return;
    group.size = tensor->dim(axis);
    group.uses.push_back({parameter, axis});
  }

  void AddMlp(const std::string& name) {
    ChannelGroup group{.name = Joined(name, "hidden"), .size = 0, .uses = {}};
    for (const char* const first : {"c_gate", "c_fc"}) {
      Use(Joined(name, first) + ".weight", 0, group);
      Use(Joined(name, first) + ".bias", 0, group);
    }
    Use(Joined(name, "c_proj.weight"), 1, group);
    groups_.push_back(std::move(group));
  }

  void AddStack(const std::string& name) {
    const auto layer = [&](int64_t i) { return Joined(name, fmt::format("layers.{}", i)); };
    for (int64_t i = 0; ParameterNamed(layer(i + 1) + ".weight") != nullptr; ++i) {
      ChannelGroup group{.name = layer(i) + ".hidden", .size = 0, .uses = {}};
      Use(layer(i) + ".weight", 0, group);
      Use(layer(i) + ".bias", 0, group);
      Use(layer(i + 1) + ".weight", 1, group);
      groups_.push_back(std::move(group));
    }
  }

  void AddResidual() {
    ChannelGroup group{.name = kResidualChannels, .size = 0, .uses = {}};
    for (const NamedTensor& parameter : named_) {
      if (const std::optional<int> axis = ResidualAxis(parameter.name)) Use(parameter.name, *axis, group);
    }
    groups_.push_back(std::move(group));
  }

  Module& model_;
  std::vector<NamedTensor> named_;
  std::vector<ChannelGroup> groups_;
};

}  // namespace

std::vector<ChannelGroup> FindChannelGroups(Module& model) {
  model.VisitModules([](const std::string& name, const Module& module) {
    const bool sparse = dynamic_cast<const SemiSparseLinear*>(&module) != nullptr ||
                        dynamic_cast<const SemiSparseActivationLinear*>(&module) != nullptr ||
                        dynamic_cast<const SparseLinear*>(&module) != nullptr;
    if (!sparse) return;
    throw Error(fmt::format("{} is a {}, expected dense linears: a mask holds for one order of channels only", name,
                            module.type_name()));
  });
  return GroupFinder(model).Find();
}

void ReorderChannels(Module& model, const ChannelGroup& group, const sparse::ChannelOrder& order) {
  sparse::RequireOrder(order, group.size, group.name);
  for (NamedTensor& parameter : model.NamedParameters()) {
    for (const ChannelUse& use : group.uses) {
      if (use.parameter != parameter.name) continue;
      parameter.tensor.CopyFrom(sparse::Reordered(parameter.tensor, use.axis, order));
    }
  }
}

}  // namespace twofour::nn
