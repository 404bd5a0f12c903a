#include "twofour/nn/swap.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <typeinfo>
#include <utility>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/nn/linear.h"
#include "twofour/nn/lora_linear.h"
#include "twofour/nn/name_choice.h"
#include "twofour/nn/name_pattern.h"
#include "twofour/nn/sparse_linear.h"
#include "twofour/sparse/finite_weight.h"
#include "twofour/sparse/inference_packing.h"
#include "twofour/sparse/row_packed_weight.h"
#include "twofour/sparse/vnm_pattern.h"

namespace twofour::nn {
namespace {

/// Decides about one linear: the reason to keep it dense, or nothing.
class Eligibility {
 public:
  explicit Eligibility(const SwapOptions& options)
      : options_(Checked(options, "", ": got ")), names_(options.include, options.exclude) {}

  std::string ReasonToKeepDense(const std::string& name, const Linear& linear) const {
    if (std::string reason = names_.ReasonAgainst(name); !reason.empty()) return reason;
    if (linear.weight().dtype() != DType::kF32) {
      return fmt::format("weight is {}, only f32 is pruned", NameOf(linear.weight().dtype()));
    }
    if (linear.out_features() % options_.multiple_of != 0) {
      return fmt::format("out_features {} is not a multiple of {}", linear.out_features(), options_.multiple_of);
    }
    if (linear.in_features() % options_.multiple_of != 0) {
      return fmt::format("in_features {} is not a multiple of {}", linear.in_features(), options_.multiple_of);
    }
    // A class derived from Linear may compute something else, which a replacement would not.
    return typeid(linear) == typeid(Linear) ? ""
                                            : fmt::format("is a {}, which is derived from Linear", linear.type_name());
  }

 private:
  SwapOptions options_;
  NameChoice names_;
};

/// Throws Error unless each plan of a linear's own is that of a linear that is to be replaced.
void RequirePlansFit(Module& root, const SwapOptions& options, const Eligibility& eligibility) {
  std::map<std::string, std::string> reasons;
  for (const auto& [name, plan] : options.plans) reasons[name] = "there is no such linear";
  root.VisitSlots([&](const std::string& name, ModuleSlot& slot) {
    const auto* const linear = dynamic_cast<const Linear*>(slot.get());
    const auto reason = reasons.find(name);
    if (linear != nullptr && reason != reasons.end()) reason->second = eligibility.ReasonToKeepDense(name, *linear);
  });
  for (const auto& [name, reason] : reasons) {
    if (reason.empty()) continue;
    throw Error(fmt::format("{}: {}, expected a linear that is pruned, as it has a plan of its own", name, reason));
  }
}

/// The report of a root that is a linear itself.
void ReportRoot(const Module& root, SwapReport& report) {
  const auto* const linear = dynamic_cast<const Linear*>(&root);
  if (linear == nullptr) return;
  report.kept_dense.push_back(
      {"", linear->out_features(), linear->in_features(), "is the root, which cannot be replaced"});
}

/// Throws Error if a weight that is to be packed in values of 16 bits has elements that are too large for them.
void RequireRoom(const Tensor& weight, DType values, const std::string& name) {
  sparse::RequireFinite(values == DType::kF32 ? weight : weight.To(values).To(DType::kF32),
                        values == DType::kF32 ? name : fmt::format("{} in {}", name, NameOf(values)));
}

/// Why a linear of EmulateLowPrecision is not packed: packed weights are multiplied as they are.
constexpr const char* kRounds = "its operands are rounded";

/// Why a linear's weight cannot be packed in this pattern, or nothing.
std::string ReasonNotToPack(const Linear& linear, const sparse::GroupPattern& pattern) {
  const Tensor& weight = linear.weight();
  if (weight.dtype() != DType::kF32) return fmt::format("weight is {}, only f32 is packed", NameOf(weight.dtype()));
  if (linear.rounding() != nullptr) return kRounds;
  if (weight.dim(1) < pattern.m) {
    return fmt::format("its rows are shorter than the {} of {}", pattern.m, pattern.ToString());
  }
  const int64_t most = sparse::MostNonZerosOfAGroup(weight, sparse::PatternAxis::kRows, pattern.m);
  if (most <= pattern.n) return {};
  return fmt::format("up to {} of {} neighbours along its rows are not zero, expected {}", most, pattern.m,
                     pattern.ToString());
}

/// Which entries of an f32 matrix are not zero.
sparse::Mask MaskOfNonZeros(const Tensor& weight) {
  Tensor kept = Tensor::Empty(weight.shape(), DType::kBool);
  std::transform(weight.data<float>(), weight.data<float>() + weight.numel(), kept.mutable_data<bool>(),
                 [](float value) { return value != 0; });
  return sparse::Mask::FromTensor(kept);
}

/// Puts a packed weight in the place of a linear, in the same training mode.
void PutSparseLinear(ModuleSlot& slot, std::shared_ptr<const sparse::InferenceWeight> weight, const Tensor& bias) {
  auto linear = std::make_unique<SparseLinear>(std::move(weight), bias.defined() ? bias.Clone() : Tensor());
  linear->SetTraining(slot->training());
  slot.Replace(std::move(linear));
}

/// Why a semi-sparse layer, whose mask is found, cannot be packed in this pattern, or nothing.
std::string ReasonNotToPack(const SemiSparseLinear& layer, const sparse::MaskFormat& pattern) {
  if (layer.runs_dense()) return "is dense";
  if (layer.rounding() != nullptr) return kRounds;
  const bool fits = pattern.is_vnm() ? !sparse::FindVnmViolation(layer.mask_in_force().view(), pattern.vnm())
                                     : sparse::FitsRows(layer.mask_in_force(), pattern);
  return fits ? "" : fmt::format("its mask is not {}", pattern.ToString());
}

/// Replaces the module in `slot` by `make(weight, bias)`, in the same training mode. The new module makes the
/// parameters that it takes over require a gradient, so those that were frozen are frozen again.
template <typename Make>
void ReplaceLinear(ModuleSlot& slot, Tensor weight, Tensor bias, Make make) {
  const bool weight_trains = weight.requires_grad(), bias_trains = bias.requires_grad();
  std::unique_ptr<Module> replacement = make(weight, bias);
  weight.set_requires_grad(weight_trains);
  if (bias.defined()) bias.set_requires_grad(bias_trains);
  replacement->SetTraining(slot->training());
  slot.Replace(std::move(replacement));
}

}  // namespace

void Check(const SwapOptions& options, const FieldPath& at, Faults& faults) {
  const int64_t multiple_of = options.multiple_of;
  int64_t unit = options.target == SwapTarget::kActivation ? sparse::kTileSize : SizeUnitOf(options.sparsity.plan);
  for (const auto& [name, plan] : options.plans) unit = std::max(unit, SizeUnitOf(plan));
  const std::string range = fmt::format("{} to {}", unit, kMaxFeatures);
  faults.Expect(multiple_of >= 1 && multiple_of % unit == 0 && multiple_of <= kMaxFeatures, at("multiple_of"),
                multiple_of, unit == 1 ? range : fmt::format("a multiple of {} from {}", unit, range));
  CheckPattern(at("include"), options.include, faults);
  CheckPattern(at("exclude"), options.exclude, faults);

  if (options.target == SwapTarget::kActivation && faults.IsSound(at("target"))) {
    CheckActivationMethod(options.activation_method, at("activation_method"), faults);
  }
  const size_t before = faults.count();
  Check(options.sparsity, at.In("sparsity"), faults);
  if (faults.count() > before) return;  // Every plan would have the same faults.
  for (const auto& [name, plan] : options.plans) {
    SemiSparseOptions of_layer = options.sparsity;
    of_layer.plan = plan;
    Check(of_layer, at.In(fmt::format("plans[{}]", name)), faults);
  }
}

SwapReport SwapLinearWithSemiSparseLinear(Module& root, const SwapOptions& options) {
  const Eligibility eligibility(options);
  RequirePlansFit(root, options, eligibility);
  SwapReport report;
  ReportRoot(root, report);
  root.VisitSlots([&](const std::string& name, ModuleSlot& slot) {
    const auto* linear = dynamic_cast<const Linear*>(slot.get());
    if (linear == nullptr) return;
    SwapEntry entry{name, linear->out_features(), linear->in_features(), eligibility.ReasonToKeepDense(name, *linear)};
    if (!entry.reason.empty()) {
      report.kept_dense.push_back(std::move(entry));
      return;
    }
    ReplaceLinear(slot, linear->weight(), linear->bias(),
                  [&](const Tensor& weight, const Tensor& bias) -> std::unique_ptr<Module> {
                    if (options.target == SwapTarget::kActivation) {
                      return std::make_unique<SemiSparseActivationLinear>(weight, bias, options.activation_method,
                                                                          name);
                    }
                    SemiSparseOptions sparsity = options.sparsity;
                    if (const auto own = options.plans.find(name); own != options.plans.end()) {
                      sparsity.plan = own->second;
                    }
                    sparsity.key.stream += static_cast<uint32_t>(report.converted.size());
                    return std::make_unique<SemiSparseLinear>(weight, bias, sparsity, name + ".weight");
                  });
    report.converted.push_back(std::move(entry));
  });
  return report;
}

SwapReport SwapSemiSparseLinearWithLinear(Module& root, bool apply_mask) {
  if (apply_mask) {  // What can fail is done for all layers before the first is replaced.
    for (const auto& [name, layer] : FindSemiSparseLinears(root)) {
      sparse::RequireFinite(layer->weight(), name.empty() ? "weight" : name + ".weight");
      layer->mask();
    }
  }
  SwapReport report;
  root.VisitSlots([&](const std::string& name, ModuleSlot& slot) {
    Tensor weight, bias;
    if (auto* by_weight = dynamic_cast<SemiSparseLinear*>(slot.get())) {
      if (auto* const adapted = dynamic_cast<LoraLinear*>(by_weight)) adapted->Merge();
      weight = by_weight->weight();
      bias = by_weight->bias();
      if (apply_mask) weight.CopyFrom(by_weight->EffectiveWeight());
    } else if (const auto* by_activation = dynamic_cast<const SemiSparseActivationLinear*>(slot.get())) {
      weight = by_activation->weight();
      bias = by_activation->bias();
    } else {
      return;
    }
    report.converted.push_back({name, weight.dim(0), weight.dim(1), {}});
    ReplaceLinear(slot, weight, bias, [](const Tensor& w, const Tensor& b) { return std::make_unique<Linear>(w, b); });
  });
  return report;
}

SwapReport SwapSemiSparseLinearWithSparseLinear(Module& root, DType values) {
  Checked(PackOptions{.values = values}, "", ": got ");
  for (const auto& [name, layer] : FindSemiSparseLinears(root)) {
    RequireRoom(layer->weight(), values, name.empty() ? "weight" : name + ".weight");
    layer->mask();
  }
  SwapReport report;
  root.VisitSlots([&](const std::string& name, ModuleSlot& slot) {
    auto* const layer = dynamic_cast<SemiSparseLinear*>(slot.get());
    if (layer == nullptr) return;
    SwapEntry entry{name, layer->out_features(), layer->in_features(), {}};
    const sparse::MaskFormat planned = layer->options().plan.PatternAt(0);
    const bool is_rows = planned.kind == sparse::MaskFormat::Kind::kRows;
    const std::optional<sparse::VnmPattern>& vnm = layer->vnm_in_force();
    const sparse::MaskFormat pattern = vnm ? sparse::MaskFormat::Vnm(*vnm)
                                           : sparse::MaskFormat::Rows(is_rows ? planned.n : 2, is_rows ? planned.m : 4);
    entry.reason = ReasonNotToPack(*layer, pattern);
    if (!entry.reason.empty()) {
      report.kept_dense.push_back(std::move(entry));
      return;
    }
    PutSparseLinear(
        slot, sparse::PackForInference(layer->EffectiveWeight(), layer->mask(), pattern, values, name + ".weight"),
        layer->bias());
    report.converted.push_back(std::move(entry));
  });
  return report;
}

void Check(const PackOptions& options, const FieldPath& at, Faults& faults) {
  CheckPattern(at("include"), options.include, faults);
  CheckPattern(at("exclude"), options.exclude, faults);
  const auto& [n, m] = options.pattern;
  faults.Expect(n >= 1 && n < m && m <= sparse::RowPackedWeight::kMostNeighbours, at("pattern"),
                options.pattern.ToString(),
                fmt::format("n:m with 1 <= n < m <= {}", sparse::RowPackedWeight::kMostNeighbours));
  faults.Expect(options.values == DType::kF32 || options.values == DType::kBF16, at("values"),
                std::string(NameOf(options.values)), "f32 or bf16");
}

SwapReport SwapLinearWithSparseLinear(Module& root, const PackOptions& options) {
  Checked(options, "", ": got ");
  const NameChoice names(options.include, options.exclude);
  SwapReport report;
  ReportRoot(root, report);
  std::vector<ModuleSlot*> slots;  // Of what is converted.
  root.VisitSlots([&](const std::string& name, ModuleSlot& slot) {
    const auto* linear = dynamic_cast<const Linear*>(slot.get());
    if (linear == nullptr) return;
    SwapEntry entry{name, linear->out_features(), linear->in_features(), names.ReasonAgainst(name)};
    if (entry.reason.empty()) entry.reason = ReasonNotToPack(*linear, options.pattern);
    if (!entry.reason.empty()) {
      report.kept_dense.push_back(std::move(entry));
      return;
    }
    RequireRoom(linear->weight(), options.values, name + ".weight");
    slots.push_back(&slot);
    report.converted.push_back(std::move(entry));
  });
  const auto pattern =
      sparse::MaskFormat::Rows(static_cast<int>(options.pattern.n), static_cast<int>(options.pattern.m));
  for (ModuleSlot* const slot : slots) {
    const auto& linear = dynamic_cast<const Linear&>(**slot);
    const Tensor weight = linear.weight();
    PutSparseLinear(*slot, sparse::PackForInference(weight, MaskOfNonZeros(weight), pattern, options.values, "weight"),
                    linear.bias());
  }
  return report;
}

std::vector<NamedSemiSparseLinear> FindSemiSparseLinears(Module& root) {
  std::vector<NamedSemiSparseLinear> found;
  root.VisitModules([&](const std::string& name, Module& module) {
    if (auto* layer = dynamic_cast<SemiSparseLinear*>(&module)) found.push_back({name, layer});
  });
  return found;
}

}  // namespace twofour::nn
