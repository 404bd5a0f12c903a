#include "twofour/nn/one_shot.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/nn/name_pattern.h"
#include "twofour/nn/weight_pruner.h"
#include "twofour/sparse/mask_of_pattern.h"
#include "twofour/sparse/prune/alps.h"
#include "twofour/sparse/prune/dampened_gram.h"
#include "twofour/sparse/prune/dsnot.h"
#include "twofour/sparse/prune/output_error.h"

namespace twofour::nn {
namespace {

using Extent = sparse::InputStatistics::Extent;

/// A linear of the tree that is to be pruned.
struct Target {
  PrunableLinear linear;
  Tensor before;                  // A copy of the weight as it was, ...
  Tensor dense;                   // ... and of what products used of it, ...
  sparse::Mask mask_before = {};  // ... because of this mask.
};

std::vector<Target> FindTargets(Module& root, const OneShotOptions& options, std::vector<SwapEntry>& kept_dense) {
  std::vector<Target> targets;
  for (PrunableLinear& linear : FindPrunableLinears(root, ChoiceOf(options), &kept_dense)) {
    Target& target = targets.emplace_back();
    target.before = linear.weight.Detach().Clone();
    target.dense = linear.masked == nullptr ? target.before : linear.masked->EffectiveWeight();
    if (linear.masked != nullptr) target.mask_before = linear.masked->mask();
    target.linear = std::move(linear);
  }
  return targets;
}

/// Gives the weights back what they were, unless the pruning succeeds.
class Restoring {
 public:
  explicit Restoring(std::vector<Target>& targets) : targets_(targets) {}
  ~Restoring() {
    for (Target& target : targets_) {
      if (kept_) continue;
      target.linear.weight.CopyFrom(target.before);
      if (target.linear.masked != nullptr) target.linear.masked->SetMask(std::move(target.mask_before));
    }
  }
  Restoring(const Restoring&) = delete;
  Restoring& operator=(const Restoring&) = delete;
  void Keep() { kept_ = true; }

 private:
  std::vector<Target>& targets_;
  bool kept_ = false;
};

class OneShot {
 public:
  OneShot(Module& root, const OneShotOptions& options, const Calibration& calibration,
          const std::function<bool()>& stopped, const std::function<void(const PrunedLinear&)>& done)
      : root_(root),
        options_(options),
        calibration_(calibration),
        stopped_(stopped),
        done_(done),
        needs_(NeedsOf(options)),
        targets_(FindTargets(root, options, report_.kept_dense)),
        restoring_(targets_) {
    needs_.gram = needs_.gram || (options.output_errors && calibration.batches > 0);
    needs_.inputs = needs_.inputs || needs_.gram;
    for (const auto& [name, pattern] : options.patterns) {
      if (!IsTarget(name)) {
        throw Error(fmt::format("patterns: '{}' is no linear that is pruned", name));
      }
    }
  }

  std::optional<OneShotReport> Run() {
    if (needs_.gradients && !TakeGradients()) return std::nullopt;
    const bool layer_by_layer = options_.order == PruningOrder::kLayerByLayer && needs_.inputs;
    if (!(layer_by_layer ? PruneLayerByLayer() : PruneInOnePass())) return std::nullopt;
    restoring_.Keep();
    return std::move(report_);
  }

 private:
  const sparse::PruningPattern& PatternOf(const std::string& name) const {
    const auto found = options_.patterns.find(name);
    return found == options_.patterns.end() ? options_.pattern : found->second;
  }

  bool IsTarget(const std::string& name) const {
    return std::ranges::any_of(targets_, [&](const Target& target) { return target.linear.name == name; });
  }

  bool IsStopped() const { return stopped_ && stopped_(); }

  InputCollector Collector(const std::vector<const Target*>& targets) const {
    std::map<const Module*, std::string> names;
    for (const Target* const target : targets) names[target->linear.module] = target->linear.name;
    return {std::move(names), needs_.gram ? Extent::kGram : Extent::kFeatures};
  }

  bool TakeGradients() {
    std::map<std::string, Tensor> weights;
    for (const Target& target : targets_) weights[target.linear.name] = target.linear.weight;
    return CollectGradients(root_, calibration_, weights, gradients_, stopped_);
  }

  bool PruneInOnePass() {
    std::vector<const Target*> all;
    for (const Target& target : targets_) all.push_back(&target);
    InputCollector collector = Collector(all);
    if (needs_.inputs && !RunCalibration(root_, calibration_, collector, stopped_)) return false;
    if (options_.pattern.scope == sparse::PruningScope::kModel) return PruneTogether(collector);
    for (Target& target : targets_) {
      if (IsStopped()) return false;
      Prune(target, InputsOf(target, collector));
    }
    return true;
  }

  /// One budget for all weights.
  bool PruneTogether(const InputCollector& collector) {
    std::vector<sparse::NamedScores> scores;
    for (const Target& target : targets_) {
      scores.push_back({target.linear.name, Scores(target, InputsOf(target, collector))});
    }
    std::vector<sparse::Mask> masks = sparse::FindMasksOf(scores, options_.pattern, options_.columns);
    for (size_t i = 0; i < targets_.size(); ++i) {
      if (IsStopped()) return false;
      const Tensor weight = sparse::ApplyMask(targets_[i].dense, masks[i]);
      Finish(targets_[i], {.weight = weight, .mask = std::move(masks[i])}, InputsOf(targets_[i], collector));
    }
    return true;
  }

  bool PruneLayerByLayer() {
    const std::optional<PassOrder> order = OrderOfPasses(root_, calibration_, stopped_);
    if (!order) return false;
    // Those that no pass comes to are last.
    std::vector<Target*> targets;
    for (Target& target : targets_) targets.push_back(&target);
    const auto place = [&](const Target* target) { return std::ranges::find(order->linears, target->linear.module); };
    std::ranges::stable_sort(targets, [&](const Target* a, const Target* b) { return place(a) < place(b); });
    for (Target* const target : targets) {
      InputCollector collector = Collector({target});
      if (!RunCalibrationUpTo(*target->linear.module, *order, root_, calibration_, collector, stopped_)) return false;
      if (IsStopped()) return false;
      Prune(*target, InputsOf(*target, collector));
    }
    return true;
  }

  const sparse::InputStatistics* InputsOf(const Target& target, const InputCollector& collector) const {
    return needs_.inputs ? &collector.Require(*target.linear.module) : nullptr;
  }

  WeightPruner PrunerOf(const Target& target, const sparse::InputStatistics* inputs) const {
    const auto gradients = gradients_.find(target.linear.name);
    return {options_,
            target.linear.name,
            target.dense,
            {.inputs = inputs, .gradients = gradients == gradients_.end() ? nullptr : &gradients->second},
            static_cast<uint32_t>(&target - targets_.data())};
  }

  Tensor Scores(const Target& target, const sparse::InputStatistics* inputs) {
    WeightPruner pruner = PrunerOf(target, inputs);
    Tensor scores = pruner.Scores();
    std::ranges::copy(pruner.notes(), std::back_inserter(report_.notes));
    return scores;
  }

  void Prune(Target& target, const sparse::InputStatistics* inputs) {
    WeightPruner pruner = PrunerOf(target, inputs);
    sparse::PrunedWeight pruned = pruner.Prune(PatternOf(target.linear.name));
    std::ranges::copy(pruner.notes(), std::back_inserter(report_.notes));
    Finish(target, std::move(pruned), inputs);
  }

  void Finish(Target& target, sparse::PrunedWeight pruned, const sparse::InputStatistics* inputs) {
    std::ranges::copy(pruned.notes, std::back_inserter(report_.notes));
    target.linear.weight.CopyFrom(pruned.weight);
    if (target.linear.masked != nullptr) target.linear.masked->SetMask(pruned.mask);
    PrunedLinear& entry = report_.pruned.emplace_back();
    entry.name = target.linear.name;
    entry.out_features = target.dense.dim(0);
    entry.in_features = target.dense.dim(1);
    entry.pattern = PatternOf(target.linear.name);
    entry.retained = sparse::RetainedL1(target.dense, pruned.mask);
    entry.sparsity = 1 - static_cast<double>(pruned.mask.CountKept()) / static_cast<double>(target.dense.numel());
    const float* const now = target.linear.weight.data<float>();
    entry.zeros = std::count(now, now + target.dense.numel(), 0.0F);
    entry.mask = std::move(pruned.mask);
    if (inputs != nullptr) entry.samples = inputs->samples();
    if (inputs != nullptr && inputs->has_gram() && options_.output_errors) {
      entry.output_error = sparse::OutputError(target.dense, pruned.weight, inputs->Gram());
    }
    if (done_) done_(entry);
  }

  Module& root_;
  const OneShotOptions& options_;
  const Calibration& calibration_;
  const std::function<bool()>& stopped_;
  const std::function<void(const PrunedLinear&)>& done_;
  sparse::ScoreNeeds needs_;
  OneShotReport report_;
  std::vector<Target> targets_;
  Restoring restoring_;
  std::map<std::string, sparse::GradientStatistics> gradients_;
};

void CheckOne(const OneShotOptions& options, const sparse::PruningPattern& pattern, const FieldPath& at,
              Faults& faults) {
  switch (options.method) {
    case PruningMethod::kMask:
      return Check(pattern, at.In("pattern"), faults);
    case PruningMethod::kSparseGpt:
      return Check(SparseGptOf(options, pattern), at, faults);
    case PruningMethod::kAlps:
      return Check(AlpsOf(options, pattern), at, faults);
    case PruningMethod::kDsnot:
      return Check(sparse::DsnotOptions{.pattern = pattern}, at, faults);
  }
}

}  // namespace

std::string_view NameOf(PruningMethod method) {
  switch (method) {
    case PruningMethod::kMask:
      return "mask";
    case PruningMethod::kSparseGpt:
      return "sparsegpt";
    case PruningMethod::kAlps:
      return "alps";
    case PruningMethod::kDsnot:
      return "dsnot";
  }
  return "?";
}

std::string_view NameOf(PruningOrder order) { return order == PruningOrder::kOnePass ? "one-pass" : "layer-by-layer"; }

std::string_view NameOf(const OneShotOptions& options) {
  return options.method == PruningMethod::kMask ? NameOf(options.score) : NameOf(options.method);
}

PrunableChoice ChoiceOf(const OneShotOptions& options) {
  return {.include = options.include, .exclude = options.exclude, .multiple_of = options.multiple_of};
}

void Check(const OneShotOptions& options, const FieldPath& at, Faults& faults) {
  faults.InRange(at("multiple_of"), options.multiple_of, 1, kMaxFeatures);
  CheckPattern(at("include"), options.include, faults);
  CheckPattern(at("exclude"), options.exclude, faults);
  CheckOne(options, options.pattern, at, faults);
  for (const auto& [name, pattern] : options.patterns) {
    const FieldPath path = at.In(fmt::format("patterns[{}]", name));
    CheckOne(options, pattern, path, faults);
    faults.Expect(pattern.scope != sparse::PruningScope::kModel, path("pattern"), pattern.ToString(),
                  "a scope within one weight for a linear's own pattern");
  }
  if (options.pattern.scope == sparse::PruningScope::kModel) {
    faults.Expect(options.order == PruningOrder::kOnePass || !faults.IsSound(at("pattern")), at("order"),
                  NameOf(options.order), "one-pass for a pattern with a scope of the model");
    faults.Expect(options.patterns.empty(), at("patterns"), "given", "none beside a pattern with a scope of the model");
  }
  faults.Between(at("dampening"), options.dampening, 0, sparse::kMostDampening);
  faults.AtLeast(at("gradient_factor"), options.gradient_factor, 0);
}

bool NeedsCalibration(const OneShotOptions& options) {
  const sparse::ScoreNeeds needs = NeedsOf(options);
  return needs.inputs || needs.gradients;
}

std::optional<OneShotReport> PruneOnce(Module& root, const OneShotOptions& options, const Calibration& calibration,
                                       const std::function<bool()>& stopped,
                                       const std::function<void(const PrunedLinear&)>& done) {
  Checked(options, "PruneOnce: ");
  if (NeedsCalibration(options) && calibration.batches < 1) {
    throw Error(fmt::format("PruneOnce: {} needs calibration data, expected at least one batch", NameOf(options)));
  }
  if (calibration.batches > 0 && !calibration.loss) {
    throw Error(
        fmt::format("PruneOnce: calibration has {} batches and no loss, expected a function that runs the "
                    "model on one",
                    calibration.batches));
  }
  return OneShot(root, options, calibration, stopped, done).Run();
}

}  // namespace twofour::nn
