#include "twofour/sparse/allocation/allocation.h"

#include <fmt/format.h>

#include <string>

#include "twofour/sparse/allocation/layer_steps.h"

namespace twofour::sparse {

void Check(const AllocationOptions& options, const FieldPath& at, Faults& faults) {
  const PruningPattern& pattern = options.pattern;
  Check(pattern, at.In("pattern"), faults);
  faults.Expect(pattern.scope != PruningScope::kModel, at("pattern"), pattern.ToString(),
                "a scope within one layer, because each gets a budget of its own");
  faults.Between(at("min"), options.min, 0, 1);
  faults.Between(at("max"), options.max, 0, 1);
  if (faults.IsSound(at("min")) && faults.IsSound(at("max"))) {
    faults.Expect(options.min <= options.max, at("min"), options.min,
                  fmt::format("at most {}, which is {}", at("max"), options.max));
  }
  if (!faults.IsSound(at("pattern"))) return;
  if (options.target) {
    const bool free = pattern.format.kind == MaskFormat::Kind::kRows;
    faults.Probability(at("target"), *options.target);
    faults.Expect(free || IsSameSparsity(*options.target, pattern.Sparsity()), at("target"), *options.target,
                  fmt::format("{}, the sparsity of {}: only n:m along rows can be given another", pattern.Sparsity(),
                              pattern.ToString()));
  }
  if (pattern.has_budget() || !faults.IsSound(at("min")) || !faults.IsSound(at("max"))) return;
  // Any layer will do, as the sparsities of such a pattern are the same for all.
  const LayerSteps steps({.name = "", .rows = 1, .cols = 1}, pattern);
  const StepRange range = steps.Within(options.min, options.max);
  faults.Expect(range.from <= range.to, at("max"), options.max,
                fmt::format("a sparsity of {} at or above {}, which is {}",
                            HasOneSparsity(pattern) ? pattern.ToString() : fmt::format("n:{}", pattern.format.m),
                            at("min"), options.min));
}

}  // namespace twofour::sparse
