#include "twofour/optim/optimizer.h"

#include <fmt/format.h>

#include <map>
#include <set>

#include "twofour/core/error.h"

namespace twofour::optim {
namespace {

constexpr char kStep[] = "step";

std::string SlotName(const NamedTensor& parameter, const std::string& slot) { return parameter.name + "." + slot; }

Tensor CountTensor(int64_t count) { return Tensor::Scalar(static_cast<double>(count), DType::kI32); }

}  // namespace

std::vector<NamedTensor> NumberParameters(const std::vector<Tensor>& parameters) {
  std::vector<NamedTensor> named;
  for (size_t i = 0; i < parameters.size(); ++i) named.push_back({std::to_string(i), parameters[i]});
  return named;
}

std::vector<ParameterGroup> DecayMatricesOnly(const std::vector<NamedTensor>& parameters, double weight_decay) {
  std::vector<ParameterGroup> groups(2);
  groups[0].weight_decay = weight_decay;
  for (const NamedTensor& parameter : parameters)
    groups[parameter.tensor.rank() >= 2 ? 0 : 1].parameters.push_back(parameter);
  return groups;
}

Optimizer::Optimizer(std::vector<ParameterGroup> groups, double lr, std::vector<std::string> slot_names)
    : lr_(lr), slot_names_(std::move(slot_names)) {
  std::set<std::string> names;
  std::map<const Tensor::Impl*, std::string> tensors;
  for (ParameterGroup& group : groups) {
    if (!(group.weight_decay >= 0)) {
      throw Error(fmt::format("optimizer: weight_decay is {}, must not be negative", group.weight_decay));
    }
    for (NamedTensor& parameter : group.parameters) {
      if (!parameter.tensor.defined() || parameter.tensor.dtype() != DType::kF32) {
        throw Error(fmt::format("optimizer: parameter '{}' is not f32", parameter.name));
      }
      if (!names.insert(parameter.name).second) {
        throw Error(fmt::format("optimizer: two parameters are named '{}'", parameter.name));
      }
      const auto [same, is_new] = tensors.emplace(parameter.tensor.impl().get(), parameter.name);
      if (!is_new) {
        throw Error(fmt::format("optimizer: parameters '{}' and '{}' are one tensor", same->second, parameter.name));
      }
      entries_.push_back({std::move(parameter), group.weight_decay, {}});
    }
  }
}

void Optimizer::ZeroGrad() {
  for (Entry& entry : entries_) entry.parameter.tensor.ZeroGrad();
}

void Optimizer::Step() {
  ++step_count_;
  for (Entry& entry : entries_) {
    Tensor& parameter = entry.parameter.tensor;
    if (!parameter.grad().defined()) continue;
    while (entry.slots.size() < slot_names_.size()) entry.slots.push_back(Tensor::Zeros(parameter.shape()));
    Update update{
        parameter.numel(), parameter.mutable_data<float>(), parameter.grad().data<float>(), {}, entry.weight_decay,
        ++entry.updates};
    for (Tensor& slot : entry.slots) update.slots.push_back(slot.mutable_data<float>());
    UpdateParameter(update);
  }
}

std::vector<NamedTensor> Optimizer::StateDict() const {
  std::vector<NamedTensor> state{{kStep, CountTensor(step_count_)}};
  for (const Entry& entry : entries_) {
    if (entry.slots.empty()) continue;
    state.push_back({SlotName(entry.parameter, kStep), CountTensor(entry.updates)});
    for (size_t i = 0; i < entry.slots.size(); ++i) {
      state.push_back({SlotName(entry.parameter, slot_names_[i]), entry.slots[i]});
    }
  }
  return state;
}

void Optimizer::LoadStateDict(const std::vector<NamedTensor>& state, const std::string& source) {
  std::string faults;
  const auto fault = [&](const std::string& name, const std::string& what) {
    faults += fmt::format("{}{}: tensor '{}': {}", faults.empty() ? "" : "\n", source, name, what);
  };
  std::map<std::string, Tensor> given;
  for (const NamedTensor& named : state) {
    if (!given.emplace(named.name, named.tensor).second) fault(named.name, "is there twice");
  }
  const auto take = [&](const std::string& name) {
    const auto found = given.find(name);
    if (found == given.end()) return Tensor();
    Tensor tensor = found->second;
    given.erase(found);
    return tensor;
  };
  const auto take_count = [&](const std::string& name, int64_t at_least) {
    const Tensor count = take(name);
    if (count.defined() && count.dtype() == DType::kI32 && count.numel() == 1 &&
        count.item() >= static_cast<double>(at_least)) {
      return static_cast<int64_t>(count.item());
    }
    fault(name, fmt::format("expected one i32 of at least {}", at_least));
    return int64_t{0};
  };
  const int64_t step = take_count(kStep, 0);
  std::vector<std::vector<Tensor>> slots(entries_.size());
  std::vector<int64_t> updates(entries_.size());
  for (size_t e = 0; e < entries_.size(); ++e) {
    const NamedTensor& parameter = entries_[e].parameter;
    for (const std::string& slot_name : slot_names_) {
      const std::string name = SlotName(parameter, slot_name);
      const Tensor slot = take(name);
      if (!slot.defined()) continue;  // A parameter that has had no gradient yet.
      if (slot.shape() != parameter.tensor.shape() || slot.dtype() != DType::kF32) {
        fault(name, fmt::format("{} {}, the parameter is f32 {}", NameOf(slot.dtype()), ToString(slot.shape()),
                                ToString(parameter.tensor.shape())));
      }
      slots[e].push_back(slot.Clone());
    }
    if (slots[e].empty()) continue;
    if (slots[e].size() != slot_names_.size()) fault(parameter.name, "has some of its optimizer state, not all");
    updates[e] = take_count(SlotName(parameter, kStep), 1);
  }
  for (const auto& [name, tensor] : given) fault(name, "belongs to no parameter of this optimizer");
  if (!faults.empty()) throw Error(faults);
  step_count_ = step;
  for (size_t e = 0; e < entries_.size(); ++e) {
    entries_[e].slots = std::move(slots[e]);
    entries_[e].updates = updates[e];
  }
}

}  // namespace twofour::optim
