#include "twofour/nn/one_shot_training.h"

#include <fmt/format.h>

#include <map>
#include <string>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/nn/swap.h"
#include "twofour/sparse/pruning_rounds.h"

namespace twofour::nn {
namespace {

void CheckCount(const sparse::PruningPattern& pattern, int64_t count, const std::string& path, Faults& faults) {
  const int64_t most = sparse::MostRounds(pattern);
  faults.Expect(
      count <= most, path, count,
      most == 1 ? fmt::format("1 for {}, of which there is no denser one to begin with", pattern.ToString())
                : fmt::format("at most {} for {}, which cannot be reached in smaller steps", most, pattern.ToString()));
}

/// How many weights the masks of linears keep that are pruned already.
std::map<std::string, int64_t> KeptWeights(Module& model) {
  std::map<std::string, int64_t> kept;
  for (const auto& [name, layer] : FindSemiSparseLinears(model)) {
    if (!layer->options().searches) kept[name] = layer->mask().CountKept();
  }
  return kept;
}

void RequireSparser(const PrunedLinear& linear, int64_t round, int64_t kept) {
  if (linear.mask.CountKept() <= kept) return;
  throw Error(
      fmt::format("round {}: {} would keep {} of the {} weights of {}, whose mask keeps {} already, expected a pattern "
                  "and rounds that drop at least as much from the first one on",
                  round + 1, linear.pattern.ToString(), linear.mask.CountKept(),
                  linear.out_features * linear.in_features, linear.name, kept));
}

}  // namespace

OneShotOptions OneShotRounds::OptionsOf(int64_t round) const {
  OneShotOptions options = pruning;
  options.pattern = sparse::PatternOfRound(pruning.pattern, round, count);
  for (auto& [name, pattern] : options.patterns) pattern = sparse::PatternOfRound(pattern, round, count);
  return options;
}

void Check(const OneShotRounds& rounds, const FieldPath& at, Faults& faults) {
  Check(rounds.pruning, at.In("pruning"), faults);
  faults.InRange(at("count"), rounds.count, 1, kMaxCount);
  faults.InRange(at("steps"), rounds.steps, 1, kMaxCount);
  if (!faults.IsSound(at("count")) || !faults.IsSound(at.In("pruning")("pattern"))) return;
  CheckCount(rounds.pruning.pattern, rounds.count, at("count"), faults);
  for (const auto& [name, pattern] : rounds.pruning.patterns) {
    if (faults.IsSound(at("count"))) CheckCount(pattern, rounds.count, at("count"), faults);
  }
}

OneShotTraining::OneShotTraining(Module& model, OneShotRounds rounds, Calibration calibration, Done done)
    : model_(model),
      rounds_(Checked(rounds, "OneShotTraining: ")),
      calibration_(std::move(calibration)),
      done_(std::move(done)) {}

bool OneShotTraining::Prune(int64_t round, const std::function<bool()>& stopped) {
  const std::map<std::string, int64_t> kept = KeptWeights(model_);
  const auto report =
      PruneOnce(model_, rounds_.OptionsOf(round), calibration_, stopped, [&](const PrunedLinear& linear) {
        if (const auto before = kept.find(linear.name); before != kept.end()) {
          RequireSparser(linear, round, before->second);
        }
      });
  if (!report) return false;
  if (done_) done_(round, *report);
  return true;
}

bool OneShotTraining::Begin(const std::function<bool()>& stopped) { return Prune(0, stopped); }

void OneShotTraining::BeforeStep(const StepContext& step) {
  const int64_t round = step.step / rounds_.steps;
  if (step.step == 0 || step.step % rounds_.steps != 0 || round >= rounds_.count) return;
  Prune(round, {});
}

}  // namespace twofour::nn
