#pragma once

// Copying tiles into the steps of a PairBucketStream: the part of packing that is worth SIMD.

#include <cstdint>
#include <span>
#include <vector>

#include "twofour/core/cpu.h"
#include "twofour/sparse/kernels/pair_bucket_stream.h"
#include "twofour/sparse/kernels/tile_steps.h"

namespace twofour::sparse {

/// Where a packing reads: W or W transposed, rows `ld` elements apart; and the bytes of one column of a panel.
struct PackGeometry {
  bool transposed = false;
  int64_t ld = 0;
  int64_t column_bytes = 0;
};

/// The numbers of steps of each pairing, 16 bits each: what a strip has within a block fits.
using StepCounts = uint64_t;

inline uint16_t CountOf(StepCounts counts, int pairing) { return static_cast<uint16_t>(counts >> (16 * pairing)); }

/// A transposable tile's two steps, ready to be copied.
struct alignas(64) TileRecipe {
  /// The tile's entry, 4 * row + col as it lies in the weight, of each of the eight weights.
  int32_t entry[8] = {};
  StepCounts counts = 0;
  uint32_t offsets[2] = {};  ///< Both offsets of each step from the tile's first column, 16 bits each.
  uint8_t pairing[2] = {};
};

/// The tiles of one strip within one block, in the order of the matrix's columns.
struct TileRange {
  const TileMask* masks;
  int64_t mask_stride;
  const float* weight;
  int64_t weight_stride;
  int64_t ahead, ahead_stride;  ///< What to prefetch at tile t: weight + ahead + t % 4 * ahead_stride.
  int64_t count;
};

/// The recipes of the 90 transposable masks, all that an exact search finds; what keeps less is worked out tile by
/// tile.
class PackPlan {
 public:
  explicit PackPlan(const PackGeometry& geometry);

  const PackGeometry& geometry() const { return geometry_; }
  /// Null for a mask that is not transposable.
  const TileRecipe* Find(TileMask mask) const {
    const uint8_t number = numbers_[mask];
    return number == kNotTransposable ? nullptr : &recipes_[number];
  }
  StepCounts Count(const TileRange& tiles) const;
  /// Writes the steps of a tile of any mask; `next` is where each pairing's next step goes, and is returned moved on.
  StepCounts WriteAnyTile(TileMask mask, const float* weight, uint32_t tile_offset, StepCounts next,
                          const PairBucketSteps& steps) const;

 private:
  static constexpr uint8_t kNotTransposable = 255;
  static const uint8_t* MaskNumbers();

  PackGeometry geometry_;
  const uint8_t* numbers_;  // For each mask its place among recipes_.
  std::vector<TileRecipe> recipes_;
};

/// Writes the steps of a range from `steps` on; `counts` is what plan.Count(tiles) gave. All give the same bits.
using StepWriter = void (*)(const PackPlan& plan, const TileRange& tiles, StepCounts counts,
                            const PairBucketSteps& steps);

/// The reference: one weight after the other.
void WriteSteps(const PackPlan& plan, const TileRange& tiles, StepCounts counts, const PairBucketSteps& steps);
/// The fastest for an instruction set.
StepWriter StepWriterFor(SimdTarget target);

}  // namespace twofour::sparse
