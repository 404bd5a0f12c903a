#include "twofour/sparse/row_mask.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <numeric>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/kernels/elements/reduce_loops.h"
#include "twofour/core/ops/check.h"
#include "twofour/sparse/finite_weight.h"
#include "twofour/sparse/for_each_tile_row.h"
#include "twofour/sparse/kernels/search/row_groups.h"

namespace twofour::sparse {
namespace {

static_assert(kMostNeighbours <= kMostInGroup);

}  // namespace

void Check(const RowPattern& pattern, const FieldPath& at, Faults& faults) {
  const std::string in_code =
      fmt::format("row pattern {}:{}, expected 1 <= N <= M <= {}", pattern.keep, pattern.of, kMostNeighbours);
  faults.Expect(pattern.of >= 1 && pattern.of <= kMostNeighbours, at("of"), pattern.of,
                fmt::format("1 to {}", kMostNeighbours), in_code);
  const bool sound = faults.IsSound(at("of"));
  const int most = sound ? pattern.of : kMostNeighbours;
  faults.Expect(pattern.keep >= 1 && pattern.keep <= most, at("keep"), pattern.keep,
                fmt::format("1 to {}{}", sound ? "rows.of, which is " : "", most), in_code);
}

void RequirePattern(const RowPattern& pattern) { Checked(pattern, ""); }

Mask FindRowMask(const Tensor& weight, const RowPattern& pattern, std::string_view name) {
  ops::RequireDType("FindRowMask", name, weight, DType::kF32);
  RequirePattern(pattern);
  if (weight.rank() != 2) {
    throw Error(fmt::format("{}: shape {}, a mask needs [rows, cols]", name, ToString(weight.shape())));
  }
  Mask mask(weight.dim(0), weight.dim(1));
  const float* w = weight.data<float>();
  std::atomic<bool> finite = true;
  ForEachTileRow(mask.view(), [&](int64_t tile_row) {
    const TileRow row(mask.view(), tile_row, w, std::lcm(kTileSize, pattern.of));
    if (!kernels::loops::AllFinite(kTileSize * row.cols(), row.data())) finite = false;
    TileMask* const tiles = mask.tiles() + tile_row * mask.tile_cols();
    if (row.cols() == mask.cols()) {
      KeepLargestOfGroups(row.data(), row.cols(), pattern.keep, pattern.of, tiles);
    } else {
      std::vector<TileMask> room(static_cast<size_t>(row.cols() / kTileSize));
      KeepLargestOfGroups(row.data(), row.cols(), pattern.keep, pattern.of, room.data());
      std::copy_n(room.begin(), mask.tile_cols(), tiles);
    }
    mask.TrimTileRow(tile_row);
  });
  if (!finite) RequireFinite(weight, name);
  return mask;
}

}  // namespace twofour::sparse
