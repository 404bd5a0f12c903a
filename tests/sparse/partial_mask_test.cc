#include "twofour/sparse/partial_mask.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "twofour/core/parallel.h"

#include "tests/support/expect_error.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using test::RandomF32;
using test::ScopedNumThreads;
using ::testing::HasSubstr;

constexpr TileMask kWhole = 0xffff;

Mask PartOf(const Tensor& weight, double share, TileOrder order, const RandomKey& key = {.seed = 5}) {
  Mask mask = FindMask(weight, MaskMethod::kExact);
  KeepOtherTilesWhole(weight, share, order, key, mask);
  return mask;
}

int64_t CountPruned(const Mask& mask) {
  int64_t pruned = 0;
  for (int64_t i = 0; i < mask.tile_rows() * mask.tile_cols(); ++i) pruned += mask.tiles()[i] != kWhole;
  return pruned;
}

/// Whether every tile that `smaller` prunes is pruned, in the same way, by `larger`.
bool Nested(const Mask& smaller, const Mask& larger) {
  for (int64_t i = 0; i < smaller.tile_rows() * smaller.tile_cols(); ++i) {
    if (smaller.tiles()[i] != kWhole && smaller.tiles()[i] != larger.tiles()[i]) return false;
  }
  return true;
}

TEST(PartialMaskTest, PrunesTheShareAskedForAndEverMore) {
  const Tensor weight = RandomF32({20, 28}, {.seed = 1});  // 35 tiles.
  for (const TileOrder order : {TileOrder::kLeastLoss, TileOrder::kRandom}) {
    Mask before = PartOf(weight, 0, order);
    EXPECT_EQ(before.CountKept(), weight.numel());
    for (int percent = 1; percent <= 100; ++percent) {
      const double share = percent / 100.0;
      const Mask mask = PartOf(weight, share, order);
      EXPECT_EQ(CountPruned(mask), std::lround(share * 35)) << NameOf(order) << ' ' << share;
      EXPECT_TRUE(Nested(before, mask)) << NameOf(order) << ' ' << share;
      before = mask;
    }
    EXPECT_EQ(before, FindMask(weight, MaskMethod::kExact));
  }
}

TEST(PartialMaskTest, ThoseThatLoseLeastGoFirst) {
  const Tensor weight = RandomF32({16, 32}, {.seed = 2});
  const Mask whole = FindMask(weight, MaskMethod::kExact), part = PartOf(weight, 0.4, TileOrder::kLeastLoss);
  const auto loss = [&](int64_t tile_row, int64_t tile_col) {
    double sum = 0;
    for (int64_t row = 4 * tile_row; row < 4 * tile_row + 4; ++row) {
      for (int64_t col = 4 * tile_col; col < 4 * tile_col + 4; ++col) {
        if (!whole.Keeps(row, col)) sum += std::fabs(static_cast<double>(weight.ToVector()[row * 32 + col]));
      }
    }
    return sum;
  };
  double most_pruned = 0, least_kept = std::numeric_limits<double>::infinity();
  for (int64_t row = 0; row < 4; ++row) {
    for (int64_t col = 0; col < 8; ++col) {
      double& extreme = part.tile(row, col) == kWhole ? least_kept : most_pruned;
      extreme = part.tile(row, col) == kWhole ? std::min(extreme, loss(row, col)) : std::max(extreme, loss(row, col));
    }
  }
  EXPECT_LT(most_pruned, least_kept);
}

TEST(PartialMaskTest, TilesOfEqualLossGoRowByRow) {
  const Mask mask = PartOf(Tensor::Full({8, 16}, 1), 0.375, TileOrder::kLeastLoss);
  for (int64_t i = 0; i < 8; ++i) EXPECT_EQ(mask.tiles()[i] != kWhole, i < 3) << i;
}

TEST(PartialMaskTest, RandomTilesDependOnTheKeyAlone) {
  const Tensor weight = RandomF32({32, 32}, {.seed = 3}), other = RandomF32({32, 32}, {.seed = 4});
  const Mask mask = PartOf(weight, 0.5, TileOrder::kRandom), same = PartOf(other, 0.5, TileOrder::kRandom);
  int64_t agree = 0;
  for (int64_t i = 0; i < 64; ++i) {
    EXPECT_EQ(mask.tiles()[i] == kWhole, same.tiles()[i] == kWhole);
    agree += (mask.tiles()[i] == kWhole) == (PartOf(weight, 0.5, TileOrder::kRandom, {.seed = 6}).tiles()[i] == kWhole);
  }
  EXPECT_GT(agree, 15);
  EXPECT_LT(agree, 49);
}

TEST(PartialMaskTest, IsTheSameForAnyNumberOfThreads) {
  const Tensor weight = RandomF32({256, 512}, {.seed = 7});
  const ScopedNumThreads one(1);
  const Mask mask = PartOf(weight, 0.3, TileOrder::kLeastLoss);
  for (const int threads : {2, 3}) {
    const ScopedNumThreads more(threads);
    EXPECT_EQ(PartOf(weight, 0.3, TileOrder::kLeastLoss), mask);
  }
}

TEST(PartialMaskTest, RejectsWhatDoesNotFit) {
  const Tensor weight = RandomF32({8, 8}, {.seed = 8});
  for (const double share : {-0.1, 1.1, std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_ERROR(PartOf(weight, share, TileOrder::kRandom), ErrorKind::kInvalidInput, HasSubstr("expected 0 to 1"));
  }
  Mask mask(8, 12);
  EXPECT_ERROR(KeepOtherTilesWhole(weight, 0.5, TileOrder::kRandom, {}, mask), ErrorKind::kInvalidInput,
               HasSubstr("[8, 12]"));
}

}  // namespace
}  // namespace twofour::sparse
