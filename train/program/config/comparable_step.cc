#include "twofour/train/program/config/comparable_step.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string_view>

#include "twofour/core/io/crc32c.h"
#include "twofour/train/program/config/build_finetune.h"
#include "twofour/train/program/config/build_sparsity.h"
#include "twofour/train/program/config/text_config.h"

namespace twofour::train {
namespace {

/// The second stage trains what the third one does not begin with: the adapters are merged at its end.
int64_t FirstStepOfLastStage(const proto::Config& config) {
  const int64_t fixed = StagesOf(config).first_fixed_step;
  return fixed > 0 ? fixed + 1 : 0;
}

/// A checkpoint or evaluation at the step of a round comes before that round.
int64_t FirstStepAfterRounds(const proto::OneShot& one_shot) {
  return one_shot.rounds() > 1 ? (one_shot.rounds() - 1) * one_shot.round_steps() + 1 : 0;
}

int64_t FirstStepOfFinalPlan(const proto::Config& config) {
  const nn::SemiSparseOptions sparsity = BuildSwapOptions(config).sparsity;
  return sparsity.apply ? sparsity.plan.LastChange() : 0;
}

/// Fields of `sparsity` that make no difference to what is pruned in the end.
constexpr const char* kOthers[] = {"interval", "interval_growth", "masked_decay", "fused_mlp", "freeze_gradient"};

}  // namespace

std::string SparsityId(const proto::Config& config) {
  if (!config.sparsity().enabled()) return "";
  proto::Config part;
  *part.mutable_sparsity() = config.sparsity();
  for (const char* const name : kOthers) {
    const auto* const field = proto::Sparsity::descriptor()->FindFieldByName(name);
    part.sparsity().GetReflection()->ClearField(part.mutable_sparsity(), field);
  }
  const std::string text = ToText(part);
  return fmt::format("{:08x}", Crc32c(std::as_bytes(std::span(text))));
}

bool ChangesSparsity(const std::string& change) {
  constexpr std::string_view kSparsity = "sparsity.";
  if (!change.starts_with(kSparsity)) return change.starts_with("sparsity:");
  const std::string_view field = std::string_view(change).substr(kSparsity.size());
  return std::ranges::none_of(kOthers, [field](std::string_view other) {
    if (!field.starts_with(other)) return false;
    const std::string_view rest = field.substr(other.size());
    return rest.starts_with(':') || rest.starts_with('.');
  });
}

int64_t FirstComparableStep(const proto::Config& config) {
  if (!config.sparsity().enabled()) return 0;
  const int64_t step = config.has_one_shot()   ? FirstStepAfterRounds(config.one_shot())
                       : config.has_finetune() ? FirstStepOfLastStage(config)
                                               : FirstStepOfFinalPlan(config);
  return std::min(step, config.training().steps());
}

}  // namespace twofour::train
