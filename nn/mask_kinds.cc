#include "twofour/nn/mask_kinds.h"

#include <algorithm>
#include <vector>

namespace twofour::nn {
namespace {

enum class Kind { kWhole, kTwoOfFour, kOther };

/// The kind of mask that is searched for at one step.
Kind KindAt(const SemiSparseOptions& options, int64_t tiles, int64_t step) {
  const sparse::MaskPlan& plan = options.plan;
  if (plan.KeepsAll(step)) return Kind::kWhole;
  const int64_t asked = options.freeze_step ? std::min(step, *options.freeze_step) : step;
  if (plan.has_budget()) {
    return plan.SparsityAt(asked) == 0 ? Kind::kWhole : Kind::kOther;
  }
  const int64_t pruned = sparse::CountOfShare(plan.ShareAt(asked), tiles);
  const sparse::MaskFormat pattern = plan.PatternAt(asked);
  if (pruned == 0 || pattern.n == pattern.m) return Kind::kWhole;
  return pruned == tiles && IsTwoOfFour(pattern) ? Kind::kTwoOfFour : Kind::kOther;
}

/// The steps in [first, last] from which on the plan follows another rule, in ascending order, `first` included.
/// Between two of them the share only rises, only falls or stays.
std::vector<int64_t> Turns(const SemiSparseOptions& options, int64_t first, int64_t last) {
  const sparse::MaskPlanOptions& plan = options.plan.options();
  const sparse::SparsityScheduleOptions& schedule = plan.schedule.options();
  std::vector<int64_t> turns = {first, plan.first_sparse_step, plan.dense_from_step, schedule.begin_step,
                                schedule.end_step};
  for (const sparse::SchedulePoint& point : schedule.points) turns.push_back(point.step);
  for (const sparse::MaskStage& stage : plan.stages) turns.push_back(stage.step);
  if (options.freeze_step) turns.push_back(*options.freeze_step);
  std::erase_if(turns, [&](int64_t step) { return step < first || step > last; });
  std::sort(turns.begin(), turns.end());
  turns.erase(std::unique(turns.begin(), turns.end()), turns.end());
  return turns;
}

/// The first step whose mask may still be in force at `step`, because a mask is not searched for after every step.
int64_t OldestInForce(const SemiSparseOptions& options, int64_t step) {
  const int64_t interval = sparse::IntervalAt(options.interval, options.interval_growth, step);
  return interval < step ? step - interval + 1 : (interval > 1 ? 0 : step);
}

}  // namespace

MaskKinds FindMaskKinds(const SemiSparseOptions& options, int64_t tiles, int64_t first, int64_t last) {
  MaskKinds kinds;
  const auto look = [&](int64_t step) {
    const Kind kind = KindAt(options, tiles, step);
    (kind == Kind::kWhole ? kinds.whole : kind == Kind::kTwoOfFour ? kinds.two_of_four : kinds.other) = true;
    return kind;
  };
  // If both ends of a stretch have the same kind, all steps between them have it, too.
  const auto look_between = [&](const auto& self, int64_t begin, Kind at_begin, int64_t end, Kind at_end) -> void {
    const int64_t middle = begin + (end - begin) / 2;
    if (at_begin == at_end || middle == begin) return;
    const Kind at_middle = look(middle);
    self(self, begin, at_begin, middle, at_middle);
    self(self, middle, at_middle, end, at_end);
  };
  const std::vector<int64_t> turns = Turns(options, OldestInForce(options, first), last);
  for (size_t i = 0; i < turns.size(); ++i) {
    const int64_t end = i + 1 < turns.size() ? turns[i + 1] - 1 : last;
    const Kind at_begin = look(turns[i]), at_end = look(end);
    look_between(look_between, turns[i], at_begin, end, at_end);
  }
  return kinds;
}

}  // namespace twofour::nn
