#include "twofour/sparse/row_mask.h"

#include <fmt/format.h>

#include <atomic>

#include "twofour/core/error.h"
#include "twofour/core/kernels/elements/reduce_loops.h"
#include "twofour/core/ops/check.h"
#include "twofour/sparse/finite_weight.h"
#include "twofour/sparse/for_each_tile_row.h"
#include "twofour/sparse/kernels/search/row_groups.h"

namespace twofour::sparse {
namespace {

static_assert(kMostNeighbours <= kMostInGroup);

void RequireGroups(const Tensor& weight, const RowPattern& pattern, std::string_view name) {
  if (weight.rank() != 2 || weight.dim(1) % pattern.of != 0) {
    throw Error(fmt::format("{}: shape {}, a {}:{} mask needs [rows, a multiple of {}]", name, ToString(weight.shape()),
                            pattern.keep, pattern.of, pattern.of));
  }
}

}  // namespace

void RequirePattern(const RowPattern& pattern) {
  if (pattern.keep < 1 || pattern.keep > pattern.of || pattern.of > kMostNeighbours) {
    throw Error(
        fmt::format("row pattern {}:{}, expected 1 <= N <= M <= {}", pattern.keep, pattern.of, kMostNeighbours));
  }
}

Mask FindRowMask(const Tensor& weight, const RowPattern& pattern, std::string_view name) {
  ops::RequireDType("FindRowMask", name, weight, DType::kF32);
  RequirePattern(pattern);
  RequireGroups(weight, pattern, name);
  Mask mask(weight.dim(0), weight.dim(1));
  const float* w = weight.data<float>();
  std::atomic<bool> finite = true;
  ForEachTileRow(mask.view(), [&](int64_t tile_row) {
    const float* const rows = w + tile_row * kTileSize * mask.cols();
    if (!kernels::loops::AllFinite(kTileSize * mask.cols(), rows)) finite = false;
    KeepLargestOfGroups(rows, mask.cols(), pattern.keep, pattern.of, mask.tiles() + tile_row * mask.tile_cols());
  });
  if (!finite) RequireFinite(weight, name);
  return mask;
}

}  // namespace twofour::sparse
