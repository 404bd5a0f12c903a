#include "twofour/optim/optimizer.h"

#include <fmt/format.h>

#include <map>
#include <set>

#include "twofour/core/error.h"

namespace twofour::optim {

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
  for (ParameterGroup& group : groups) {
    for (NamedTensor& parameter : group.parameters) {
      if (!parameter.tensor.defined() || parameter.tensor.dtype() != DType::kF32) {
        throw Error(fmt::format("optimizer: parameter '{}' is not f32", parameter.name));
      }
      if (!names.insert(parameter.name).second) {
        throw Error(fmt::format("optimizer: two parameters are named '{}'", parameter.name));
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
    const bool first = entry.slots.empty();
    while (entry.slots.size() < slot_names_.size()) entry.slots.push_back(Tensor::Zeros(parameter.shape()));
    Update update{parameter.numel(),
                  parameter.mutable_data<float>(),
                  parameter.grad().data<float>(),
                  {},
                  entry.weight_decay,
                  first};
    for (Tensor& slot : entry.slots) update.slots.push_back(slot.mutable_data<float>());
    UpdateParameter(update);
  }
}

std::vector<NamedTensor> Optimizer::StateDict() const {
  std::vector<NamedTensor> state{{"step", Tensor::Scalar(static_cast<double>(step_count_), DType::kI32)}};
  for (const Entry& entry : entries_) {
    for (size_t i = 0; i < entry.slots.size(); ++i) {
      state.push_back({entry.parameter.name + "." + slot_names_[i], entry.slots[i]});
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
  for (const NamedTensor& named : state) given[named.name] = named.tensor;
  const auto take = [&](const std::string& name) {
    const auto found = given.find(name);
    if (found == given.end()) return Tensor();
    Tensor tensor = found->second;
    given.erase(found);
    return tensor;
  };
  const Tensor step = take("step");
  if (!step.defined() || step.dtype() != DType::kI32 || step.numel() != 1 || step.item() < 0) {
    fault("step", "expected one i32 that is not negative");
  }
  std::vector<std::vector<Tensor>> slots(entries_.size());
  for (size_t e = 0; e < entries_.size(); ++e) {
    const NamedTensor& parameter = entries_[e].parameter;
    for (const std::string& slot_name : slot_names_) {
      const std::string name = parameter.name + "." + slot_name;
      const Tensor slot = take(name);
      if (!slot.defined()) continue;  // A parameter that has had no gradient yet.
      if (slot.shape() != parameter.tensor.shape() || slot.dtype() != DType::kF32) {
        fault(name, fmt::format("{} {}, the parameter is f32 {}", NameOf(slot.dtype()), ToString(slot.shape()),
                                ToString(parameter.tensor.shape())));
      }
      slots[e].push_back(slot.Clone());
    }
    if (!slots[e].empty() && slots[e].size() != slot_names_.size()) {
      fault(parameter.name, "has some of its optimizer state, not all");
    }
  }
  for (const auto& [name, tensor] : given) fault(name, "belongs to no parameter of this optimizer");
  if (!faults.empty()) throw Error(faults);
  step_count_ = static_cast<int64_t>(step.item());
  for (size_t e = 0; e < entries_.size(); ++e) entries_[e].slots = std::move(slots[e]);
}

}  // namespace twofour::optim
