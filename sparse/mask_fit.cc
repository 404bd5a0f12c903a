#include "twofour/sparse/mask_fit.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <vector>

#include "twofour/sparse/budget_fit.h"
#include "twofour/sparse/vnm_pattern.h"

namespace twofour::sparse {
namespace {

/// In the tiles that are pruned: how many entries a mask keeps, and how many there are.
struct Kept {
  int64_t kept = 0, of = 0;
};

Kept CountInPrunedTiles(const Mask& mask, bool whole_tiles) {
  Kept count;
  for (int64_t tile = 0; tile < mask.tile_rows() * mask.tile_cols(); ++tile) {
    const TileMask whole = mask.WholeTile(tile / mask.tile_cols(), tile % mask.tile_cols());
    if (whole_tiles && mask.tiles()[tile] == whole) continue;
    count.kept += std::popcount(mask.tiles()[tile]);
    count.of += std::popcount(whole);
  }
  return count;
}

/// The largest number kept in a row or column of a pruned tile.
int MostInTiles(const Mask& mask, bool whole_tiles) {
  constexpr TileMask kRow = 0x000f, kColumn = 0x1111;
  int most = 0;
  for (int64_t tile = 0; tile < mask.tile_rows() * mask.tile_cols(); ++tile) {
    const TileMask kept = mask.tiles()[tile];
    if (whole_tiles && kept == mask.WholeTile(tile / mask.tile_cols(), tile % mask.tile_cols())) continue;
    for (int i = 0; i < kTileSize; ++i) {
      most = std::max({most, std::popcount(static_cast<TileMask>(kept & kRow << kTileSize * i)),
                       std::popcount(static_cast<TileMask>(kept & kColumn << i))});
    }
  }
  return most;
}

/// The largest number kept in a group of neighbours along a row. Entries of whole tiles do not count.
int MostInGroups(const Mask& mask, int group, bool whole_tiles) {
  int most = 0;
  std::vector<TileMask> counted(static_cast<size_t>(mask.tile_cols()));
  for (int64_t tile_row = 0; tile_row < mask.tile_rows(); ++tile_row) {
    const TileMask* const tiles = mask.tiles() + tile_row * mask.tile_cols();
    for (size_t i = 0; i < counted.size(); ++i) {
      const bool whole = whole_tiles && tiles[i] == mask.WholeTile(tile_row, static_cast<int64_t>(i));
      counted[i] = whole ? TileMask{0} : tiles[i];
    }
    for (int line = 0; line < kTileSize; ++line) {
      int kept = 0, seen = 0;  // In the group so far.
      for (const TileMask tile : counted) {
        for (int i = 0; i < kTileSize; ++i) {
          kept += Keeps(tile, line, i) ? 1 : 0;
          most = std::max(most, kept);
          if (++seen == group) kept = seen = 0;
        }
      }
    }
  }
  return most;
}

/// What a plan asks of the masks of a step.
struct Ask {
  bool keeps_all;
  MaskFormat pattern;
  bool whole_tiles;                           ///< Whether some tiles may be kept whole.
  std::optional<PruningPattern> budget = {};  ///< Then this counts alone.

  bool operator==(const Ask&) const = default;
};

Ask AskAt(const MaskPlan& plan, int64_t step) {
  if (plan.has_budget()) {
    const PruningPattern budget = plan.BudgetAt(step);
    // Where nothing is spent yet, the steps beside spend some.
    return {!plan.IsSparse(step), budget.format, false, budget};
  }
  // Where a schedule prunes no tiles yet, or none any more, the steps beside prune some.
  if (plan.IsSparse(step) && plan.ShareAt(step) == 0) return {false, plan.PatternAt(step), true};
  if (plan.KeepsAll(step)) return {true, MaskFormat::Dense(), true};
  return {false, plan.PatternAt(step), plan.ShareAt(step) < 1};
}

/// What the plan asks at some of its steps. A mask that keeps too much for all of these does so for every step.
std::vector<Ask> AsksOf(const MaskPlan& plan) {
  const MaskPlanOptions& options = plan.options();
  const SparsityScheduleOptions& schedule = options.schedule.options();
  std::vector<int64_t> turns = {0, options.first_sparse_step, options.dense_from_step, schedule.begin_step,
                                schedule.end_step};
  for (const SchedulePoint& point : schedule.points) turns.push_back(point.step);
  for (const MaskStage& stage : options.stages) turns.push_back(stage.step);
  std::erase(turns, std::numeric_limits<int64_t>::max());  // Never.
  std::ranges::sort(turns);
  std::vector<Ask> asks;
  // From one turn to the next the pattern stays, and the share stays, or it rises or falls all the way. A step with a
  // smaller share never asks for more, and the smallest share is that of the first step or of the last.
  for (size_t i = 0; i < turns.size(); ++i) {
    const int64_t last = i + 1 < turns.size() ? std::max(turns[i], turns[i + 1] - 1) : turns[i];
    for (const int64_t step : {turns[i], last}) {
      const Ask ask = AskAt(plan, step);
      if (std::ranges::find(asks, ask) == asks.end()) asks.push_back(ask);
    }
  }
  return asks;
}

std::string WhereOf(const MaskFormat& pattern) {
  if (pattern.is_vnm()) return fmt::format("in a row of {}", pattern.ToString());
  return pattern.kind == MaskFormat::Kind::kRows ? "along a row" : "in a row or column of a tile";
}

std::optional<std::string> WhyTooMuch(const Mask& mask, const Ask& ask) {
  if (ask.keeps_all) return std::nullopt;
  if (ask.budget) return WhyOverBudget(mask, *ask.budget);
  if (ask.pattern.is_vnm()) {
    const auto violation = FindVnmViolation(mask.view(), ask.pattern.vnm());
    if (!violation) return std::nullopt;
    return fmt::format("is not {}: {}", ask.pattern.ToString(), *violation);
  }
  const int keep = ask.pattern.n, of = ask.pattern.m;
  const bool rows = ask.pattern.kind == MaskFormat::Kind::kRows;
  const int most = rows ? MostInGroups(mask, of, ask.whole_tiles) : MostInTiles(mask, ask.whole_tiles);
  if (most <= keep) return std::nullopt;
  return fmt::format("keeps {} of {} {}, the plan {}", most, of, WhereOf(ask.pattern), keep);
}

std::optional<std::string> WhyTooLittle(const Mask& mask, const Ask& ask) {
  if (ask.budget) {
    const int64_t all = mask.rows() * mask.cols();
    const double planned = 1 - ask.budget->sparsity,
                 kept = static_cast<double>(mask.CountKept()) / static_cast<double>(all);
    if (8 * kept >= 7 * planned) return std::nullopt;
    return fmt::format("keeps {:.1f} % of the weight, the plan {:.1f} %", 100 * kept, 100 * planned);
  }
  const Kept count = CountInPrunedTiles(mask, ask.whole_tiles);
  if (count.of == 0) return std::nullopt;
  const int keep = ask.pattern.n, of = ask.pattern.m;
  // A group that reaches into several tiles may have kept its entries in one that is whole now.
  if (ask.whole_tiles && kTileSize % of != 0) return std::nullopt;
  if (8 * count.kept * of >= 7 * count.of * keep) return std::nullopt;
  return fmt::format("keeps {:.1f} % of what is pruned, the plan keeps {} of {} {}",
                     100.0 * static_cast<double>(count.kept) / static_cast<double>(count.of), keep, of,
                     WhereOf(ask.pattern));
}

}  // namespace

std::optional<std::string> WhyUnfit(const Mask& mask, const MaskPlan& plan, int64_t step) {
  if (plan.KeepsAll(step)) {
    return fmt::format("a mask for step {}, at which the plan prunes nothing, expected a plan that prunes then", step);
  }
  const Ask ask = AskAt(plan, step);
  if (auto why = WhyTooMuch(mask, ask)) return why;
  return WhyTooLittle(mask, ask);
}

std::optional<std::string> WhyKeepsTooMuch(const Mask& mask, const MaskPlan& plan) {
  std::vector<Ask> asks = AsksOf(plan);
  // A mask of a dense step keeps everything, so this one is of another step, if there are others.
  if (mask.CountKept() < mask.rows() * mask.cols() && !std::ranges::all_of(asks, &Ask::keeps_all)) {
    std::erase_if(asks, [](const Ask& ask) { return ask.keeps_all; });
  }
  std::optional<std::string> why;
  for (const Ask& ask : asks) {
    why = WhyTooMuch(mask, ask);
    if (!why) break;
  }
  return why;  // The reason for the last ask.
}

std::optional<std::string> WhyKeepsTooMuchAt(const Mask& mask, const MaskPlan& plan, int64_t step) {
  return WhyTooMuch(mask, AskAt(plan, step));
}

}  // namespace twofour::sparse
