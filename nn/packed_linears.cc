#include "twofour/nn/packed_linears.h"

#include <fmt/format.h>

#include <map>
#include <typeinfo>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/core/quote_for_message.h"
#include "twofour/nn/linear.h"
#include "twofour/nn/sparse_linear.h"

namespace twofour::nn {
namespace {

/// Why a packed linear cannot take the place of a module, or nothing.
std::string ReasonAgainst(const PackedLinear& packed, const Module* module) {
  if (module == nullptr) return "the model has no such linear";
  // A class derived from Linear may compute something else.
  const auto* const linear = typeid(*module) == typeid(Linear) ? static_cast<const Linear*>(module) : nullptr;
  if (linear == nullptr) return fmt::format("is packed, but the model has a {} there", module->type_name());
  const Shape shape{packed.weight->rows(), packed.weight->cols()};
  if (linear->weight().shape() != shape) {
    return fmt::format("shape {}, expected {}", ToString(shape), ToString(linear->weight().shape()));
  }
  if (packed.bias.defined() != linear->bias().defined()) {
    return packed.bias.defined() ? "has a bias, the model's has none" : "has no bias, the model's has one";
  }
  if (!packed.bias.defined() || Describe(packed.bias) == Describe(linear->bias())) return {};
  return fmt::format("its bias is {}, expected {}", Describe(packed.bias), Describe(linear->bias()));
}

}  // namespace

void PutPackedLinears(Module& root, const std::vector<PackedLinear>& packed, const std::string& source) {
  std::map<std::string, ModuleSlot*> slots;
  root.VisitSlots([&](const std::string& name, ModuleSlot& slot) { slots.emplace(name, &slot); });
  std::vector<std::pair<ModuleSlot*, std::unique_ptr<Module>>> replacements;
  for (const PackedLinear& one : packed) {
    const std::string name = fmt::format("{}: tensor {}", source, QuoteForMessage(one.name + ".weight"));
    const auto found = slots.find(one.name);
    ModuleSlot* const slot = found == slots.end() ? nullptr : found->second;
    const std::string reason = ReasonAgainst(one, slot == nullptr ? nullptr : slot->get());
    if (!reason.empty()) throw Error(fmt::format("{}: {}", name, reason));
    auto linear = std::make_unique<SparseLinear>(one.weight, one.bias);
    linear->SetTraining((*slot)->training());
    replacements.emplace_back(slot, std::move(linear));
  }
  for (auto& [slot, linear] : replacements) slot->Replace(std::move(linear));
}

}  // namespace twofour::nn
