#include "twofour/sparse/partial_mask.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/ops/check.h"
#include "twofour/sparse/for_each_tile_row.h"
#include "twofour/sparse/kernels/search/mask_passes.h"

namespace twofour::sparse {
namespace {

/// What decides a tile's turn, then the tile's number, so that no two are equal.
template <typename Rank>
using Turn = std::pair<Rank, int64_t>;

std::vector<Turn<double>> ByLoss(const float* weight, const Mask& mask) {
  std::vector<Turn<double>> turns(static_cast<size_t>(mask.tile_rows() * mask.tile_cols()));
  ForEachTileRow(mask.view(), [&](int64_t tile_row) {
    std::vector<double> losses(static_cast<size_t>(mask.tile_cols()));
    const int64_t first = tile_row * mask.tile_cols();
    const TileRow row(mask.view(), tile_row, weight);
    SumDroppedMagnitudes(mask.tiles() + first, row.cols(), row.data(), losses.data());
    for (int64_t col = 0; col < mask.tile_cols(); ++col) turns[first + col] = {losses[col], first + col};
  });
  return turns;
}

std::vector<Turn<uint32_t>> AtRandom(const RandomKey& key, int64_t tiles) {
  std::vector<Turn<uint32_t>> turns;
  turns.reserve(static_cast<size_t>(tiles));
  RandomSequence random(key);
  for (int64_t number = 0; number < tiles; ++number) turns.emplace_back(random.NextBits(), number);
  return turns;
}

/// Lets all tiles keep everything, except the `pruned` ones whose turn comes first.
template <typename Rank>
void KeepLateTilesWhole(std::vector<Turn<Rank>> turns, int64_t pruned, Mask& mask) {
  const auto first_late = turns.begin() + pruned;
  std::nth_element(turns.begin(), first_late, turns.end());
  for (auto turn = first_late; turn != turns.end(); ++turn) {
    mask.tiles()[turn->second] = mask.WholeTile(turn->second / mask.tile_cols(), turn->second % mask.tile_cols());
  }
}

}  // namespace

std::string_view NameOf(TileOrder order) { return order == TileOrder::kLeastLoss ? "least_loss" : "random"; }

int64_t CountOfShare(double share, int64_t tiles) {
  return static_cast<int64_t>(std::llround(share * static_cast<double>(tiles)));
}

void KeepOtherTilesWhole(const Tensor& weight, double share, TileOrder order, const RandomKey& key, Mask& mask) {
  ops::RequireDType("KeepOtherTilesWhole", "weight", weight, DType::kF32);
  if (!(share >= 0 && share <= 1)) throw Error(fmt::format("share of pruned tiles is {}, expected 0 to 1", share));
  if (weight.shape() != Shape{mask.rows(), mask.cols()}) {
    throw Error(fmt::format("KeepOtherTilesWhole: a weight of shape {} and a mask of shape [{}, {}]",
                            ToString(weight.shape()), mask.rows(), mask.cols()));
  }
  const int64_t tiles = mask.tile_rows() * mask.tile_cols(), pruned = CountOfShare(share, tiles);
  if (pruned == tiles) return;
  if (order == TileOrder::kLeastLoss) {
    KeepLateTilesWhole(ByLoss(weight.data<float>(), mask), pruned, mask);
  } else {
    KeepLateTilesWhole(AtRandom(key, tiles), pruned, mask);
  }
}

}  // namespace twofour::sparse
