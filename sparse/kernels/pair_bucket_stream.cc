#include "twofour/sparse/kernels/pair_bucket_stream.h"

#include <algorithm>
#include <cassert>
#include <span>

#include "twofour/core/parallel.h"

namespace twofour::sparse {
namespace {

/// StepsOfTile of one mask, ready to be copied: where in the weight its values lie, and what its steps say.
struct Recipe {
  uint64_t counts = 0;  ///< Steps of each pairing, 16 bits each.
  uint8_t steps = 0;
  bool gaps = false;
  uint8_t pairing[TileSteps::kMax] = {};
  uint16_t offset[TileSteps::kMax][2] = {};
  int32_t source[TileSteps::kMax][4] = {};  ///< Elements from the tile's first; -1 for a gap.
};

/// Where a packing reads and what it writes: W or W transposed, rows `ld` elements apart.
struct Geometry {
  bool transposed = false;
  int64_t ld = 0;
  int64_t panel_bytes = 0;

  TileMask Oriented(TileMask mask) const {
    if (!transposed) return mask;
    TileMask result = 0;
    for (int entry = 0; entry < kTileSize * kTileSize; ++entry) {
      if (Keeps(mask, entry % kTileSize, entry / kTileSize)) result = static_cast<TileMask>(result | 1u << entry);
    }
    return result;
  }

  Recipe RecipeOf(TileMask mask) const {
    const TileSteps steps = StepsOfTile(Oriented(mask));
    Recipe recipe;
    recipe.steps = static_cast<uint8_t>(steps.count);
    for (int s = 0; s < steps.count; ++s) {
      const TileStep& step = steps.step[s];
      recipe.counts += uint64_t{1} << (16 * step.pairing);
      recipe.pairing[s] = static_cast<uint8_t>(step.pairing);
      for (int half = 0; half < 2; ++half) {
        recipe.offset[s][half] = static_cast<uint16_t>(step.col[half] * panel_bytes);
      }
      for (int i = 0; i < 4; ++i) {
        const int64_t row = step.row[i], col = step.col[i / 2];
        recipe.gaps = recipe.gaps || row < 0;
        recipe.source[s][i] = row < 0 ? -1 : static_cast<int32_t>(transposed ? col * ld + row : row * ld + col);
      }
    }
    return recipe;
  }
};

/// The recipes of the masks that searches find most; others are worked out each time.
class Cookbook {
 public:
  explicit Cookbook(const Geometry& geometry) : geometry_(geometry) {
    const std::span<const TileMask> masks = TransposableMasks();
    recipes_.reserve(masks.size());
    for (const TileMask mask : masks) recipes_.push_back(geometry.RecipeOf(mask));
  }

  const Recipe& Find(TileMask mask, Recipe& scratch) const {
    const uint8_t number = Number(mask);
    if (number != kNone) return recipes_[number];
    scratch = geometry_.RecipeOf(mask);
    return scratch;
  }

 private:
  static constexpr uint8_t kNone = 255;

  static uint8_t Number(TileMask mask) {
    static const std::vector<uint8_t> numbers = [] {
      std::vector<uint8_t> result(1 << 16, kNone);
      const std::span<const TileMask> masks = TransposableMasks();
      for (size_t i = 0; i < masks.size(); ++i) result[masks[i]] = static_cast<uint8_t>(i);
      return result;
    }();
    return numbers[mask];
  }

  Geometry geometry_;
  std::vector<Recipe> recipes_;
};

/// The tiles of one strip within one block, in the matrix's orientation.
struct TileRange {
  const TileMask* masks;
  int64_t mask_stride;
  const float* weight;
  int64_t weight_stride;
  int64_t count;
};

uint64_t CountSteps(const Cookbook& cookbook, const TileRange& tiles) {
  uint64_t counts = 0;
  Recipe scratch;
  for (int64_t t = 0; t < tiles.count; ++t) {
    counts += cookbook.Find(tiles.masks[t * tiles.mask_stride], scratch).counts;
  }
  return counts;
}

void WriteSteps(const Cookbook& cookbook, const TileRange& tiles, uint16_t tile_bytes,
                PairBucketStep* next[kPairings]) {
  Recipe scratch;
  const float* weight = tiles.weight;
  unsigned offset = 0;
  for (int64_t t = 0; t < tiles.count; ++t, weight += tiles.weight_stride, offset += tile_bytes) {
    const Recipe& recipe = cookbook.Find(tiles.masks[t * tiles.mask_stride], scratch);
    for (int s = 0; s < recipe.steps; ++s) {
      PairBucketStep& step = *next[recipe.pairing[s]]++;
      for (int half = 0; half < 2; ++half) {
        step.offset[half] = static_cast<uint16_t>(offset + recipe.offset[s][half]);
      }
      const int32_t* source = recipe.source[s];
      if (!recipe.gaps) {
        for (int i = 0; i < 4; ++i) step.weight[i] = weight[source[i]];
      } else {
        for (int i = 0; i < 4; ++i) step.weight[i] = source[i] < 0 ? 0.0f : weight[source[i]];
      }
    }
  }
}

}  // namespace

PairBucketStream::PairBucketStream(const float* weight, const Mask& mask, Direction direction,
                                   const PairBucketTiling& tiling)
    : rows_(direction == Direction::kForward ? mask.rows() : mask.cols()),
      cols_(direction == Direction::kForward ? mask.cols() : mask.rows()),
      tiling_(tiling) {
  const bool transposed = direction == Direction::kInputGrad;
  const int64_t panel_bytes = tiling.panel * static_cast<int64_t>(sizeof(float));
  assert(tiling.block_cols % kTileSize == 0 && tiling.block_cols * panel_bytes <= 1 << 16);
  const Cookbook cookbook({transposed, mask.cols(), panel_bytes});
  const int64_t count = blocks() * strips();
  buckets_.resize(static_cast<size_t>(count) + 1);

  const auto tiles_of = [&](int64_t index) {
    const int64_t block = index / strips(), strip = index % strips();
    const int64_t first = block * tiling_.block_cols / kTileSize;
    const int64_t tiles = (std::min(tiling_.block_cols, cols_ - block * tiling_.block_cols)) / kTileSize;
    const int64_t tile_row = transposed ? first : strip, tile_col = transposed ? strip : first;
    return TileRange{mask.tiles() + tile_row * mask.tile_cols() + tile_col, transposed ? mask.tile_cols() : 1,
                     weight + (tile_row * mask.cols() + tile_col) * kTileSize,
                     transposed ? kTileSize * mask.cols() : kTileSize, tiles};
  };
  const int64_t grain = 1 + 8 * 1024 / tiling_.block_cols;
  std::vector<uint64_t> counts(static_cast<size_t>(count));
  ParallelFor(count, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) counts[i] = CountSteps(cookbook, tiles_of(i));
  });
  uint32_t begin_step = 0;
  for (int64_t i = 0; i < count; ++i) {
    const auto of = [&](int pairing) { return static_cast<uint16_t>(counts[i] >> (16 * pairing)); };
    buckets_[i] = {begin_step, {of(0), of(1)}};
    begin_step += of(0) + of(1) + of(2);
  }
  buckets_[count].begin = begin_step;
  steps_.reset(new PairBucketStep[begin_step]);  // Not make_unique: every step is about to be written.
  ParallelFor(count, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      PairBucketStep* const first = steps_.get() + buckets_[i].begin;
      PairBucketStep* next[kPairings] = {first, first + buckets_[i].count[0],
                                         first + buckets_[i].count[0] + buckets_[i].count[1]};
      WriteSteps(cookbook, tiles_of(i), static_cast<uint16_t>(kTileSize * panel_bytes), next);
    }
  });
}

size_t PairBucketStream::bytes() const {
  return buckets_.size() * sizeof(Buckets) + buckets_.back().begin * sizeof(PairBucketStep);
}

}  // namespace twofour::sparse
