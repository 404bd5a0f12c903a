#include "twofour/train/program/cli/recipe_line.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "twofour/sparse/tile_mask.h"

namespace twofour::train {
namespace {

std::string DescribeMethod(const nn::SemiSparseOptions& options) {
  const sparse::MaskPlanOptions& plan = options.plan.options();
  if (plan.method == sparse::MaskMethod::kVnm) {
    const bool sums = plan.columns == sparse::VnmColumnChoice::kSums;
    return fmt::format("{} masks{}", plan.vnm.ToString(),
                       sums ? "" : fmt::format(" (columns: {})", NameOf(plan.columns)));
  }
  if (plan.method == sparse::MaskMethod::kPattern) return fmt::format("{} masks", plan.pattern.ToString());
  if (plan.method != sparse::MaskMethod::kRows) return fmt::format("{} masks", NameOf(plan.method));
  return fmt::format("{}:{} masks of rows{}", plan.rows.keep, plan.rows.of,
                     options.soft_threshold ? " under a soft threshold" : "");
}

std::string DescribeRefresh(const nn::SemiSparseOptions& options) {
  if (!options.searches) return "found by one_shot";
  if (options.freeze_step == 0) return "found once";
  std::string text = options.interval == 1 ? std::string("searched after every step")
                                           : fmt::format("searched every {} steps", options.interval);
  if (options.interval_growth > 0) text += fmt::format(", or {} of all steps so far", options.interval_growth);
  if (options.freeze_step) text += fmt::format(", frozen from step {}", *options.freeze_step);
  return text;
}

std::string DescribeSchedule(const sparse::MaskPlan& plan) {
  const sparse::SparsitySchedule& schedule = plan.options().schedule;
  const sparse::SparsityScheduleOptions& options = schedule.options();
  const char* const what = plan.has_budget() ? "share of the budget" : "tiles pruned";
  const std::string which =
      fmt::format("{}{}", what, plan.options().order == sparse::TileOrder::kRandom ? " (random order)" : "");
  if (options.shape == sparse::ScheduleShape::kPiecewise) {
    std::vector<std::string> points;
    for (const sparse::SchedulePoint& point : options.points) {
      points.push_back(fmt::format("{} at step {}", point.share, point.step));
    }
    return fmt::format("{}: {}", which, fmt::join(points, ", "));
  }
  return fmt::format("{}: {}, {} at step {} to {} at step {}", which, NameOf(options.shape), options.from,
                     options.begin_step, options.to, schedule.LastChange());
}

std::string DescribeDecay(const nn::MaskedDecay& decay) {
  const char* const where = decay.place == nn::MaskedDecay::Place::kGradient  ? "gradient"
                            : decay.place == nn::MaskedDecay::Place::kMoments ? "gradient, unclipped"
                                                                              : "weight";
  return fmt::format("masked decay {:g} of the {}", decay.lambda, where);
}

/// "2:4", "3:4, then 2:4", "4:8".
std::string PatternOf(const sparse::MaskPlan& plan) {
  if (plan.has_budget()) return plan.options().pattern.ToString();
  std::vector<std::string> ratios;
  for (const sparse::MaskStage& stage : plan.options().stages) {
    if (stage.keep == sparse::kTileSize) continue;  // Not those of V:N:M, which keep 2.
    std::string ratio = plan.PatternAt(stage.step).Ratio();
    if (ratios.empty() || ratios.back() != ratio) ratios.push_back(std::move(ratio));
  }
  return ratios.empty() ? plan.PatternAt(0).Ratio() : fmt::format("{}", fmt::join(ratios, ", then "));
}

/// " along rows". Empty for transposable masks, which are the rule.
std::string DirectionOf(const sparse::MaskPlan& plan) {
  const sparse::MaskFormat pattern = plan.PatternAt(0);
  const std::string direction = pattern.Direction();
  return pattern.kind == sparse::MaskFormat::Kind::kTransposable || pattern.kind == sparse::MaskFormat::Kind::kVnm ||
                 direction.empty()
             ? ""
             : " " + direction;
}

/// The first optimizer step at which a mask can drop anything.
int64_t FirstPruningStep(const sparse::MaskPlanOptions& plan) {
  int64_t step = plan.first_sparse_step;
  for (const sparse::MaskStage& stage : plan.stages) {
    if (stage.keep < sparse::kTileSize) return std::max(step, stage.step);
  }
  return step;
}

/// Where the pattern applies: " by a schedule, from step 10, until step 90". Empty if it applies to all tiles at all
/// steps.
std::string DescribeExtent(const sparse::MaskPlanOptions& plan) {
  std::vector<std::string> parts;
  if (plan.schedule.LastChange() > 0 || plan.schedule.ShareAt(0) != 1) parts.push_back("by a schedule");
  if (const int64_t first = FirstPruningStep(plan); first > 0) parts.push_back(fmt::format("from step {}", first));
  if (plan.dense_from_step < std::numeric_limits<int64_t>::max()) {
    parts.push_back(fmt::format("until step {}", plan.dense_from_step));
  }
  return parts.empty() ? "" : fmt::format(" {}", fmt::join(parts, ", "));
}

}  // namespace

std::string DescribePattern(const nn::SemiSparseOptions& options) {
  const std::string pattern = PatternOf(options.plan), direction = DirectionOf(options.plan);
  if (!options.apply) return fmt::format("{} masks{} found, but not applied: products are dense", pattern, direction);
  return fmt::format("{} sparsity{} enabled{}", pattern, direction, DescribeExtent(options.plan.options()));
}

std::string DescribeRecipe(const nn::SemiSparseOptions& options) {
  const sparse::MaskPlanOptions& plan = options.plan.options();
  const bool scored = options.score != sparse::MaskScore::kMagnitude;
  const std::string score = scored ? fmt::format(" by {} scores", NameOf(options.score)) : "";
  std::vector<std::string> parts = {DescribeMethod(options) + score + ", " + DescribeRefresh(options)};
  const bool always_all = plan.schedule.LastChange() == 0 && plan.schedule.ShareAt(0) == 1;
  if (!always_all) parts.push_back(DescribeSchedule(options.plan));
  for (const sparse::MaskStage& stage : plan.stages) {
    parts.push_back(fmt::format("{} from step {}", options.plan.PatternAt(stage.step).Ratio(), stage.step));
  }
  if (plan.first_sparse_step > 0) parts.push_back(fmt::format("dense before step {}", plan.first_sparse_step));
  if (plan.dense_from_step < std::numeric_limits<int64_t>::max()) {
    parts.push_back(fmt::format("dense from step {}", plan.dense_from_step));
  }
  if (options.masked_decay.lambda > 0) parts.push_back(DescribeDecay(options.masked_decay));
  if (options.freeze_gradient) parts.push_back("frozen gradients");
  if (!options.apply) parts.push_back("not applied: products are dense");
  return fmt::format("{}", fmt::join(parts, "; "));
}

}  // namespace twofour::train
