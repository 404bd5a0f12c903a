#include "twofour/sparse/row_mask.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/core/parallel.h"
#include "twofour/sparse/finite_weight.h"

namespace twofour::sparse {
namespace {

void RequireGroups(const Tensor& weight, const RowPattern& pattern, std::string_view name) {
  if (weight.rank() != 2 || weight.dim(1) % pattern.of != 0) {
    throw Error(fmt::format("{}: shape {}, a {}:{} mask needs [rows, a multiple of {}]", name, ToString(weight.shape()),
                            pattern.keep, pattern.of, pattern.of));
  }
}

/// Marks the kept ones of the `pattern.of` neighbours from `col` on of row `row`.
void KeepLargest(const float* neighbours, const RowPattern& pattern, int64_t row, int64_t col, Mask& mask) {
  // By falling magnitude, then by place.
  std::array<std::pair<float, int>, kMostNeighbours> order;
  for (int i = 0; i < pattern.of; ++i) order[i] = {-std::fabs(neighbours[i]), i};
  std::nth_element(order.begin(), order.begin() + pattern.keep - 1, order.begin() + pattern.of);
  for (int i = 0; i < pattern.keep; ++i) {
    const int64_t at = col + order[i].second;
    TileMask& tile = mask.tiles()[row / kTileSize * mask.tile_cols() + at / kTileSize];
    tile = static_cast<TileMask>(tile | 1u << (row % kTileSize * kTileSize + at % kTileSize));
  }
}

}  // namespace

void Check(const RowPattern& pattern, const FieldPath& at, Faults& faults) {
  const std::string in_code =
      fmt::format("row pattern {}:{}, expected 1 <= N <= M <= {}", pattern.keep, pattern.of, kMostNeighbours);
  faults.Expect(pattern.of >= 1 && pattern.of <= kMostNeighbours, at("of"), pattern.of,
                fmt::format("1 to {}", kMostNeighbours), in_code);
  faults.Expect(pattern.keep >= 1 && pattern.keep <= pattern.of, at("keep"), pattern.keep,
                fmt::format("1 to rows.of, which is {}", pattern.of), in_code);
}

void RequirePattern(const RowPattern& pattern) { Checked(pattern, ""); }

Mask FindRowMask(const Tensor& weight, const RowPattern& pattern, std::string_view name) {
  RequirePattern(pattern);
  RequireGroups(weight, pattern, name);
  Mask mask(weight.dim(0), weight.dim(1));
  RequireFinite(weight, name);
  const float* w = weight.data<float>();
  // A row of tiles at a time: no two threads write to one tile.
  ParallelFor(mask.tile_rows(), RowGrain(mask.cols() * kTileSize), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin * kTileSize; row < end * kTileSize; ++row) {
      for (int64_t col = 0; col < mask.cols(); col += pattern.of) {
        KeepLargest(w + row * mask.cols() + col, pattern, row, col, mask);
      }
    }
  });
  return mask;
}

}  // namespace twofour::sparse
