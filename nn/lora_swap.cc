#include "twofour/nn/lora_swap.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <typeinfo>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/nn/linear.h"
#include "twofour/nn/name_choice.h"

namespace twofour::nn {
namespace {

struct Candidate {
  ModuleSlot* slot;
  SwapEntry entry;
};

}  // namespace

void Check(const LoraSwapOptions& options, const FieldPath& at, Faults& faults) {
  CheckPattern(at("include"), options.include, faults);
  CheckPattern(at("exclude"), options.exclude, faults);
  Check(options.lora, at.In("lora"), faults);
}

SwapReport SwapSemiSparseLinearWithLoraLinear(Module& root, const LoraSwapOptions& options) {
  Checked(options, "", ": got ");
  const NameChoice names(options.include, options.exclude);
  SwapReport report;
  std::vector<Candidate> chosen;
  root.VisitSlots([&](const std::string& name, ModuleSlot& slot) {
    SwapEntry entry{name, 0, 0, {}};
    if (const auto* const dense = dynamic_cast<const Linear*>(slot.get())) {
      entry = {name, dense->out_features(), dense->in_features(), kNotPruned};
    } else if (const auto* const sparse = dynamic_cast<const SemiSparseLinear*>(slot.get())) {
      entry = {name, sparse->out_features(), sparse->in_features(), names.ReasonAgainst(name)};
      if (entry.reason.empty() && typeid(*sparse) != typeid(SemiSparseLinear)) {
        entry.reason = fmt::format("is a {}", sparse->type_name());
      }
    } else {
      return;
    }
    if (!entry.reason.empty()) return report.kept_dense.push_back(std::move(entry));
    if (const int64_t most = std::min(entry.out_features, entry.in_features); options.lora.rank > most) {
      throw Error(fmt::format("rank: {}, expected at most {}, the smaller side of {} [{}, {}]", options.lora.rank, most,
                              name, entry.out_features, entry.in_features));
    }
    chosen.push_back({&slot, std::move(entry)});
  });
  for (Tensor parameter : root.Parameters()) parameter.set_requires_grad(false);
  for (Candidate& candidate : chosen) {
    ModuleSlot& slot = *candidate.slot;
    const auto& sparse = static_cast<const SemiSparseLinear&>(*slot);
    RandomKey key = options.key;
    key.stream += static_cast<uint32_t>(report.converted.size());
    auto adapted = std::make_unique<LoraLinear>(sparse.weight(), sparse.bias(), sparse.options(), options.lora, key,
                                                candidate.entry.name + ".weight");
    adapted->SetTraining(slot->training());
    slot.Replace(std::move(adapted));
    report.converted.push_back(std::move(candidate.entry));
  }
  return report;
}

std::vector<NamedLoraLinear> FindLoraLinears(Module& root) {
  std::vector<NamedLoraLinear> found;
  root.VisitModules([&](const std::string& name, Module& module) {
    if (auto* layer = dynamic_cast<LoraLinear*>(&module)) found.push_back({name, layer});
  });
  return found;
}

}  // namespace twofour::nn
