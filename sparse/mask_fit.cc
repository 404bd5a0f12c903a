#include "twofour/sparse/mask_fit.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

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

}  // namespace

std::optional<std::string> WhyUnfit(const Mask& mask, const MaskPlan& plan, int64_t step) {
  if (plan.KeepsAll(step)) {
    return fmt::format("a mask for step {}, at which the plan prunes nothing, expected a plan that prunes then", step);
  }
  const MaskFormat pattern = plan.PatternAt(step);
  const bool rows = pattern.kind == MaskFormat::Kind::kRows;
  const int keep = pattern.n, of = pattern.m;
  const bool whole_tiles = plan.ShareAt(step) < 1;
  const int most = rows ? MostInGroups(mask, of, whole_tiles) : MostInTiles(mask, whole_tiles);
  const std::string where = rows ? "along a row" : "in a row or column of a tile";
  if (most > keep) return fmt::format("keeps {} of {} {}, the plan {}", most, of, where, keep);
  const Kept count = CountInPrunedTiles(mask, whole_tiles);
  if (8 * count.kept * of < 7 * count.of * keep) {
    return fmt::format("keeps {:.1f} % of what is pruned, the plan keeps {} of {} {}",
                       100.0 * static_cast<double>(count.kept) / static_cast<double>(count.of), keep, of, where);
  }
  return std::nullopt;
}

}  // namespace twofour::sparse
