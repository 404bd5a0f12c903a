#include "twofour/optim/slot_optimizer.h"

#include <fmt/format.h>

#include <map>
#include <set>

#include "twofour/core/error.h"
#include "twofour/core/ops/check.h"

namespace twofour::optim {
namespace {

std::string SlotName(const NamedTensor& parameter, const std::string& slot) { return parameter.name + "." + slot; }

}  // namespace

SlotOptimizer::SlotOptimizer(std::vector<ParameterGroup> groups, double lr, std::vector<std::string> slot_names)
    : lr_(lr), slot_names_(std::move(slot_names)) {
  std::set<std::string> names;
  std::map<const Tensor::Impl*, std::string> tensors;
  for (ParameterGroup& group : groups) {
    Checked(group, "optimizer: ");
    for (NamedTensor& parameter : group.parameters) {
      ops::RequireDType("optimizer", fmt::format("parameter '{}'", parameter.name), parameter.tensor, DType::kF32);
      if (!names.insert(parameter.name).second) {
        throw Error(fmt::format("optimizer: two parameters are named '{}'", parameter.name));
      }
      const auto [same, is_new] = tensors.emplace(parameter.tensor.impl().get(), parameter.name);
      if (!is_new) {
        throw Error(fmt::format("optimizer: parameters '{}' and '{}' are one tensor", same->second, parameter.name));
      }
      entries_.push_back({std::move(parameter), group.weight_decay, group.lr_scale, {}});
    }
  }
}

std::vector<NamedTensor> SlotOptimizer::Parameters() const {
  std::vector<NamedTensor> parameters;
  for (const Entry& entry : entries_) parameters.push_back(entry.parameter);
  return parameters;
}

void SlotOptimizer::ZeroGrad() {
  for (Entry& entry : entries_) entry.parameter.tensor.ZeroGrad();
}

void SlotOptimizer::Step() {
  ++step_count_;
  for (Entry& entry : entries_) {
    Tensor& parameter = entry.parameter.tensor;
    if (!parameter.grad().defined()) continue;
    while (entry.slots.size() < slot_names_.size()) entry.slots.push_back(Tensor::Zeros(parameter.shape()));
    Update update{.shape = parameter.shape(),
                  .size = parameter.numel(),
                  .parameter = parameter.mutable_data<float>(),
                  .grad = parameter.grad().data<float>(),
                  .slots = {},
                  .lr = lr_ * entry.lr_scale,
                  .weight_decay = entry.weight_decay,
                  .count = ++entry.updates};
    for (Tensor& slot : entry.slots) update.slots.push_back(slot.mutable_data<float>());
    UpdateParameter(update);
  }
}

void SlotOptimizer::AppendState(std::vector<NamedTensor>& state) const {
  for (const Entry& entry : entries_) {
    if (entry.slots.empty()) continue;
    state.push_back({SlotName(entry.parameter, kStepName), CountTensor(entry.updates)});
    for (size_t i = 0; i < entry.slots.size(); ++i) {
      state.push_back({SlotName(entry.parameter, slot_names_[i]), entry.slots[i]});
    }
  }
}

StateCommit SlotOptimizer::ReadState(StateReader& reader, int64_t steps) {
  std::vector<std::vector<Tensor>> slots(entries_.size());
  std::vector<int64_t> updates(entries_.size());
  for (size_t e = 0; e < entries_.size(); ++e) {
    const NamedTensor& parameter = entries_[e].parameter;
    for (const std::string& slot_name : slot_names_) {
      const std::string name = SlotName(parameter, slot_name);
      const Tensor slot = reader.Take(name);
      if (!slot.defined()) continue;  // The parameter has had no gradient yet.
      if (slot.shape() != parameter.tensor.shape() || slot.dtype() != DType::kF32) {
        reader.Fault(name,
                     fmt::format("{}, the parameter is f32 {}", Describe(slot), ToString(parameter.tensor.shape())));
      }
      slots[e].push_back(slot.Clone());
    }
    if (slots[e].empty()) continue;
    if (slots[e].size() != slot_names_.size()) {
      reader.Fault(parameter.name, "has some of its optimizer state, not all");
    }
    updates[e] = reader.TakeCount(SlotName(parameter, kStepName), 1);
  }
  return [this, steps, slots = std::move(slots), updates = std::move(updates)]() mutable {
    step_count_ = steps;
    for (size_t e = 0; e < entries_.size(); ++e) {
      entries_[e].slots = std::move(slots[e]);
      entries_[e].updates = updates[e];
    }
  };
}

}  // namespace twofour::optim
