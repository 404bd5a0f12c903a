#include "twofour/sparse/vnm_mask.h"

#include <fmt/format.h>

#include <atomic>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/kernels/elements/reduce_loops.h"
#include "twofour/core/ops/check.h"
#include "twofour/sparse/finite_weight.h"
#include "twofour/sparse/for_each_tile_row.h"
#include "twofour/sparse/kernels/search/mask_search.h"
#include "twofour/sparse/kernels/search/row_groups.h"
#include "twofour/sparse/vnm_columns.h"

namespace twofour::sparse {

Mask FindVnmMask(const Tensor& scores, const VnmPattern& pattern, std::string_view name, VnmColumnChoice choice) {
  ops::RequireDType("FindVnmMask", name, scores, DType::kF32);
  Checked(pattern, "");
  RequireChoice(choice, pattern);
  if (scores.rank() != 2) {
    throw Error(
        fmt::format("{}: shape {}, a {} mask needs [rows, cols]", name, ToString(scores.shape()), pattern.ToString()));
  }
  Mask mask(scores.dim(0), scores.dim(1));
  const float* const data = scores.data<float>();
  const VnmColumns columns = VnmColumns::Choose(data, mask.rows(), mask.cols(), pattern, choice);
  const MaskSearchKernel& search = ChooseMaskSearchKernel(MaskMethod::kExact);
  const int64_t gathered_cols = columns.groups() * VnmPattern::kColumns;
  std::atomic<bool> finite = true;
  ForEachTileRow(mask.view(), [&](int64_t tile_row) {
    const TileRow row(mask.view(), tile_row, data);
    if (!kernels::loops::AllFinite(kTileSize * row.cols(), row.data())) finite = false;
    std::vector<float> gathered(static_cast<size_t>(kTileSize * gathered_cols));
    std::vector<TileMask> tiles(static_cast<size_t>(columns.groups()));
    const int64_t block = tile_row * kTileSize / pattern.v;
    for (int64_t group = 0; group < columns.groups(); ++group) {
      const VnmColumns::Four& four = columns.at(block, group);
      for (int i = 0; i < VnmPattern::kColumns; ++i) {
        if (four[i] == VnmColumns::kNone) continue;
        for (int r = 0; r < kTileSize; ++r) {
          gathered[static_cast<size_t>(r * gathered_cols + group * VnmPattern::kColumns + i)] =
              row.data()[r * row.cols() + four[i]];
        }
      }
    }
    if (pattern.inner == VnmInner::kRows) {
      KeepLargestOfGroups(gathered.data(), gathered_cols, pattern.n, VnmPattern::kColumns, tiles.data());
    } else {
      search.search(gathered.data(), gathered_cols, tiles.data());
    }
    TileMask* const out = mask.tiles() + tile_row * mask.tile_cols();
    for (int64_t group = 0; group < columns.groups(); ++group) {
      ScatterTile(tiles[static_cast<size_t>(group)], columns.at(block, group), out);
    }
    mask.TrimTileRow(tile_row);
  });
  if (!finite) RequireFinite(scores, name);
  return mask;
}

}  // namespace twofour::sparse
