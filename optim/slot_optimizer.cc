#include "twofour/optim/slot_optimizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "twofour/core/error.h"
#include "twofour/core/ops/check.h"
#include "twofour/optim/lr_schedule.h"

namespace twofour::optim {
namespace {

std::string SlotName(const NamedTensor& parameter, const std::string& slot) { return parameter.name + "." + slot; }

}  // namespace

SlotOptimizer::SlotOptimizer(std::vector<ParameterGroup> groups, double lr, std::vector<Slot> slots, Faults faults)
    : lr_(lr), slots_(std::move(slots)) {
  CheckLr(lr, "lr", faults);
  for (size_t i = 0; i < groups.size(); ++i) {
    // The one group of a plain list has its settings from the options, where they have the same names.
    Check(groups[i], groups.size() == 1 ? FieldPath() : FieldPath().In("groups", i), faults);
  }
  faults.Throw();
  for (ParameterGroup& group : groups) {
    for (NamedTensor& parameter : group.parameters) {
      ops::RequireDType("optimizer", fmt::format("parameter '{}'", parameter.name), parameter.tensor, DType::kF32);
      entries_.push_back({std::move(parameter), group.weight_decay, group.lr_scale, {}});
    }
  }
  RequireDisjoint("optimizer", SlotOptimizer::Parameters());
}

void SlotOptimizer::set_lr(double lr) {
  RequireLr(lr, "optimizer: ");
  lr_ = lr;
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
    while (entry.slots.size() < slots_.size()) entry.slots.push_back(Tensor::Zeros(parameter.shape()));
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
      state.push_back({SlotName(entry.parameter, slots_[i].name), entry.slots[i]});
    }
  }
}

Tensor SlotOptimizer::TakeSlot(const Slot& slot, const NamedTensor& parameter, StateReader& reader) {
  const std::string name = SlotName(parameter, slot.name), expected = Describe(parameter.tensor);
  if (!reader.Has(name)) reader.Fault(name, "missing, expected " + expected);
  const Tensor taken = reader.Take(name);
  if (!taken.defined()) return {};
  if (Describe(taken) != expected) {
    reader.Fault(name, fmt::format("{}, the parameter is {}", Describe(taken), expected));
    return {};
  }
  const float* const elements = taken.data<float>();
  const float* const end = elements + taken.numel();
  const float* const bad = std::find_if(elements, end, [&](float element) { return !(element >= slot.least); });
  if (bad != end) {
    reader.Fault(name, fmt::format("element {} is {}, expected {}", bad - elements, *bad,
                                   std::isinf(slot.least) ? "a number" : fmt::format("at least {}", slot.least)));
  }
  return taken.Clone();
}

StateCommit SlotOptimizer::ReadState(StateReader& reader, int64_t steps) {
  std::vector<std::vector<Tensor>> slots(entries_.size());
  std::vector<int64_t> updates(entries_.size());
  for (size_t e = 0; e < entries_.size(); ++e) {
    const NamedTensor& parameter = entries_[e].parameter;
    const std::string step_name = SlotName(parameter, kStepName);
    const auto has_slot = [&](const Slot& slot) { return reader.Has(SlotName(parameter, slot.name)); };
    const bool has_state = reader.Has(step_name) || std::ranges::any_of(slots_, has_slot);
    if (slots_.empty() || !has_state) continue;  // The parameter has had no gradient yet.
    for (const Slot& slot : slots_) slots[e].push_back(TakeSlot(slot, parameter, reader));
    updates[e] = reader.TakeCount(step_name, 1).value_or(0);
    if (updates[e] > steps) {
      reader.Fault(step_name,
                   fmt::format("{} updates, expected at most {}, the steps of the optimizer", updates[e], steps));
    }
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
