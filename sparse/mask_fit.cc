#include "twofour/sparse/mask_fit.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <vector>

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
  for (int64_t row = 0; row < mask.rows(); ++row) {
    for (int64_t begin = 0; begin < mask.cols(); begin += group) {
      int kept = 0;
      for (int64_t col = begin; col < std::min(begin + group, mask.cols()); ++col) {
        const int64_t tile_row = row / kTileSize, tile_col = col / kTileSize;
        const bool left_out = whole_tiles && mask.tile(tile_row, tile_col) == mask.WholeTile(tile_row, tile_col);
        kept += !left_out && mask.Keeps(row, col) ? 1 : 0;
      }
      most = std::max(most, kept);
    }
  }
  return most;
}

/// What a plan asks of the masks of a step.
struct Ask {
  bool keeps_all;
  MaskFormat pattern;
  bool whole_tiles;  ///< Whether some tiles may be kept whole.

  bool operator==(const Ask&) const = default;
};

Ask AskAt(const MaskPlan& plan, int64_t step) {
  if (plan.KeepsAll(step)) return {true, MaskFormat::Dense(), true};
  return {false, plan.PatternAt(step), plan.ShareAt(step) < 1};
}

/// Everything that the plan asks at any step.
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
  // Between two turns the share stays, or it rises or falls all the way. So the step in the middle speaks for all.
  for (size_t i = 0; i < turns.size(); ++i) {
    const int64_t next = i + 1 < turns.size() ? turns[i + 1] : turns[i];
    for (const int64_t step : {turns[i], turns[i] + (next - turns[i]) / 2}) {
      const Ask ask = AskAt(plan, step);
      if (std::ranges::find(asks, ask) == asks.end()) asks.push_back(ask);
    }
  }
  return asks;
}

std::string WhereOf(const MaskFormat& pattern) {
  return pattern.kind == MaskFormat::Kind::kRows ? "along a row" : "in a row or column of a tile";
}

std::optional<std::string> WhyTooMuch(const Mask& mask, const Ask& ask) {
  if (ask.keeps_all) return std::nullopt;
  const auto& [kind, keep, of] = ask.pattern;
  const bool rows = kind == MaskFormat::Kind::kRows;
  const int most = rows ? MostInGroups(mask, of, ask.whole_tiles) : MostInTiles(mask, ask.whole_tiles);
  if (most <= keep) return std::nullopt;
  return fmt::format("keeps {} of {} {}, the plan {}", most, of, WhereOf(ask.pattern), keep);
}

std::optional<std::string> WhyTooLittle(const Mask& mask, const Ask& ask) {
  const Kept count = CountInPrunedTiles(mask, ask.whole_tiles);
  if (count.of == 0) return std::nullopt;
  if (ask.keeps_all) return "drops entries, the plan prunes nothing";
  const auto& [kind, keep, of] = ask.pattern;
  // A group that reaches into several tiles may have kept its entries in one that is whole now.
  if (ask.whole_tiles && kTileSize % of != 0) return std::nullopt;
  if (8 * count.kept * of >= 7 * count.of * keep) return std::nullopt;
  return fmt::format("keeps {:.1f} % of what is pruned, the plan keeps {} of {} {}",
                     100.0 * static_cast<double>(count.kept) / static_cast<double>(count.of), keep, of,
                     WhereOf(ask.pattern));
}

std::optional<std::string> WhyUnfit(const Mask& mask, const Ask& ask) {
  if (auto why = WhyTooMuch(mask, ask)) return why;
  return WhyTooLittle(mask, ask);
}

/// Nothing if `why` says nothing of something that the plan asks. Otherwise what it says of the last step at which the
/// plan prunes.
template <typename Why>
std::optional<std::string> WhyNever(const MaskPlan& plan, const Why& why) {
  std::optional<std::string> reason;
  for (const Ask& ask : AsksOf(plan)) {
    const std::optional<std::string> fault = why(ask);
    if (!fault) return std::nullopt;
    if (!reason || !ask.keeps_all) reason = fault;
  }
  return reason;
}

}  // namespace

std::optional<std::string> WhyUnfit(const Mask& mask, const MaskPlan& plan, int64_t step) {
  if (plan.KeepsAll(step)) {
    return fmt::format("a mask for step {}, at which the plan prunes nothing, expected a plan that prunes then", step);
  }
  return WhyUnfit(mask, AskAt(plan, step));
}

std::optional<std::string> WhyNeverFit(const Mask& mask, const MaskPlan& plan) {
  return WhyNever(plan, [&](const Ask& ask) { return WhyUnfit(mask, ask); });
}

std::optional<std::string> WhyKeepsTooMuch(const Mask& mask, const MaskPlan& plan) {
  return WhyNever(plan, [&](const Ask& ask) { return WhyTooMuch(mask, ask); });
}

}  // namespace twofour::sparse
