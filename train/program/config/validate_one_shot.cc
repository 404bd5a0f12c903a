#include <fmt/format.h>

#include <string>

#include "twofour/core/faults.h"
#include "twofour/nn/one_shot_names.h"
#include "twofour/train/program/config/build_one_shot.h"
#include "twofour/train/program/config/validate_parts.h"

namespace twofour::train {
namespace {

void CheckNames(const proto::OneShot& one_shot, Faults& faults) {
  const auto quoted = [](const std::string& text) { return fmt::format("'{}'", text); };
  nn::OneShotOptions ignored;
  if (!nn::SetMethod(one_shot.method(), ignored)) {
    faults.Expect(false, "one_shot.method", quoted(one_shot.method()), nn::MethodNames());
  }
  faults.Expect(nn::ScoreNamed(one_shot.score()).has_value(), "one_shot.score", quoted(one_shot.score()),
                "one of " + nn::ScoreNames());
  faults.Expect(one_shot.order().empty() || nn::OrderNamed(one_shot.order()), "one_shot.order",
                quoted(one_shot.order()), "one-pass or layer-by-layer");
}

}  // namespace

void CheckOneShot(const proto::Config& config, Faults& faults) {
  if (!config.has_one_shot()) return;
  const proto::OneShot& one_shot = config.one_shot();
  faults.Expect(!config.initial_weights().empty(), "initial_weights", "none",
                "a file of trained weights to prune, beside one_shot");
  faults.Expect(config.sparsity().enabled(), "sparsity.enabled", "false", "true beside one_shot");
  faults.Expect(config.sparsity().algorithm() == proto::Sparsity::PATTERN, "sparsity.algorithm",
                proto::Sparsity::Algorithm_Name(config.sparsity().algorithm()), "PATTERN beside one_shot");
  CheckNames(one_shot, faults);
  faults.InRange("one_shot.samples", one_shot.samples(), 1, kMaxCount);
  // Patterns and linears have their places in `sparsity`, whose checks are to come.
  if (!faults.IsSound("sparsity.algorithm") || !sparse::ReadPruningPattern(config.sparsity().pattern())) return;
  nn::Check(BuildOneShotRounds(config),
            {"one_shot",
             {{"pruning", ""},
              {"count", "rounds"},
              {"steps", "round_steps"},
              {"pattern", "sparsity.pattern"},
              {"include", "sparsity.include"},
              {"exclude", "sparsity.exclude"},
              {"multiple_of", "sparsity.multiple_of"}}},
            faults);
  if (!faults.IsSound("one_shot.rounds") || !faults.IsSound("one_shot.round_steps")) return;
  const int64_t steps = config.training().steps(), rounds = one_shot.rounds();
  const bool within = rounds == 1 || rounds - 1 <= (steps - 1) / one_shot.round_steps();
  faults.Expect(
      within || !faults.IsSound("training.steps"), "one_shot.rounds", rounds,
      fmt::format("rounds that begin within the {} steps, one every {} steps", steps, one_shot.round_steps()));
}

}  // namespace twofour::train
