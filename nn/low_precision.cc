#include "twofour/nn/low_precision.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>
#include <string_view>
#include <typeinfo>
#include <utility>

#include "twofour/core/ceil_div.h"
#include "twofour/core/random_streams.h"
#include "twofour/nn/gpt.h"
#include "twofour/nn/linear.h"
#include "twofour/nn/linear_rounding.h"
#include "twofour/nn/name_choice.h"
#include "twofour/nn/name_pattern.h"
#include "twofour/nn/semi_sparse_linear.h"

namespace twofour::nn {
namespace {

/// The number of the block that a name lies in: its first part that is a number.
std::optional<int64_t> BlockOf(std::string_view name) {
  while (!name.empty()) {
    const size_t dot = std::min(name.find('.'), name.size());
    const std::string_view part = name.substr(0, dot);
    int64_t block = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), block);
    if (error == std::errc() && end == part.data() + part.size()) return block;
    name.remove_prefix(std::min(dot + 1, name.size()));
  }
  return std::nullopt;
}

bool IsLinear(const Module& module) {
  return dynamic_cast<const Linear*>(&module) != nullptr || dynamic_cast<const SemiSparseLinear*>(&module) != nullptr ||
         dynamic_cast<const SemiSparseActivationLinear*>(&module) != nullptr;
}

}  // namespace

void Check(const LowPrecisionOptions& options, const FieldPath& at, Faults& faults) {
  Check(options.formats, at.In("formats"), faults);
  CheckPattern(at("include"), options.include, faults);
  CheckPattern(at("exclude"), options.exclude, faults);
  faults.AtLeast(at("first_blocks"), options.first_blocks, 0);
  faults.AtLeast(at("last_blocks"), options.last_blocks, kSeventhOfBlocks);
}

SwapReport EmulateLowPrecision(Module& root, const LowPrecisionOptions& options) {
  Checked(options, "EmulateLowPrecision: ");
  const NameChoice choice(options.include, options.exclude);
  int64_t blocks = 0;
  root.VisitModules([&](const std::string& name, Module& module) {
    if (IsLinear(module)) blocks = std::max(blocks, BlockOf(name).value_or(-1) + 1);
  });
  int64_t last_blocks = options.last_blocks;
  if (last_blocks == kSeventhOfBlocks) last_blocks = blocks > 1 ? CeilDiv(blocks, int64_t{7}) : 0;
  const bool is_gpt = dynamic_cast<const Gpt*>(&root) != nullptr;
  std::string convolution;  // The name of the one that was visited last, with a dot.
  // The reason to leave a linear as it is, or nothing. `weight` is null where it computes something else.
  const auto reason_against = [&](const std::string& name, const Module& module, const Tensor* weight) -> std::string {
    if (std::string reason = choice.ReasonAgainst(name); !reason.empty()) return reason;
    if (weight == nullptr) return fmt::format("a {} computes something else", module.type_name());
    if (name == "lm_head" && is_gpt) return "it is computed with the loss";
    if (!convolution.empty() && name.starts_with(convolution)) return "it belongs to a convolution";
    if (const std::optional<int64_t> block = BlockOf(name)) {
      if (*block < options.first_blocks) return "it is in one of the first blocks";
      if (*block >= blocks - last_blocks) return "it is in one of the last blocks";
    }
    if (weight->dtype() != DType::kF32) return fmt::format("its weight is {}", NameOf(weight->dtype()));
    return {};
  };
  SwapReport report;
  uint32_t stream = random_streams::kFirstRounding;
  root.VisitModules([&](const std::string& name, Module& module) {
    if (module.type_name() == "Conv2d") convolution = name + ".";
    if (!IsLinear(module)) return;
    const RandomKey key{.seed = options.seed, .stream = std::exchange(stream, stream + LinearRounding::kStreams)};
    auto* const linear = typeid(module) == typeid(Linear) ? dynamic_cast<Linear*>(&module) : nullptr;
    auto* const sparse = dynamic_cast<SemiSparseLinear*>(&module);
    const Tensor* const weight = linear != nullptr   ? &linear->weight()
                                 : sparse != nullptr ? &sparse->weight()
                                                     : nullptr;
    SwapEntry entry{.name = name, .reason = reason_against(name, module, weight)};
    if (weight != nullptr) entry.out_features = weight->dim(0), entry.in_features = weight->dim(1);
    if (!entry.reason.empty()) {
      report.kept_dense.push_back(std::move(entry));
      return;
    }
    auto rounding = std::make_shared<LinearRounding>(options.formats, key);
    linear != nullptr ? linear->SetRounding(std::move(rounding)) : sparse->SetRounding(std::move(rounding));
    report.converted.push_back(std::move(entry));
  });
  return report;
}

}  // namespace twofour::nn
