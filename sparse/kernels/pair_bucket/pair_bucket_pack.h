#pragma once

// Copying tiles into the steps of a PairBucketStream: the part of packing that is worth SIMD.

#include <cstdint>
#include <span>
#include <vector>

#include "twofour/core/isa.h"
#include "twofour/sparse/kernels/pair_bucket/pair_bucket_stream.h"
#include "twofour/sparse/kernels/pair_bucket/tile_steps.h"

namespace twofour::sparse {

/// The numbers of steps of each pairing, 16 bits each: what a strip has within a block fits.
using StepCounts = uint64_t;

inline uint16_t CountOf(StepCounts counts, int pairing) { return static_cast<uint16_t>(counts >> (16 * pairing)); }

/// Where each pairing's first step goes: a register, where three pointers would be memory.
inline StepCounts FirstSteps(StepCounts counts) {
  const StepCounts first = CountOf(counts, 0), second = CountOf(counts, 1);
  return (first << 16) + ((first + second) << 32);
}

/// A transposable tile's two steps, ready to be copied.
struct alignas(64) TileRecipe {
  /// The tile's entry, 4 * row + col as it lies in the weight, of each of the eight weights.
  int32_t entry[8] = {};
  StepCounts counts = 0;
  uint32_t offsets[2] = {};  ///< Both offsets of each step from the tile's first column, 16 bits each.
  uint8_t shift[2] = {};     ///< Where each step's pairing stands in StepCounts.
};

/// The tiles of one strip within one block, in the order of the matrix's columns.
struct TileRange {
  const TileMask* masks;
  int64_t mask_stride;
  const float* weight;
  int64_t ld;  ///< Elements from one row of the weight to the next.
  int64_t weight_stride;
  int64_t count;
};

/// How tiles become steps: the recipes of the 90 transposable masks, all that an exact search finds; what keeps less is
/// worked out tile by tile.
class PackPlan {
 public:
  /// For W or W transposed, and panels with `column_bytes` in a column. Made at its first use, and kept.
  static const PackPlan& For(bool transposed, int64_t column_bytes);

  int64_t column_bytes() const { return column_bytes_; }
  /// Null for a mask that is not transposable.
  const TileRecipe* Find(TileMask mask) const {
    const uint8_t number = numbers_[mask];
    return number == kNotTransposable ? nullptr : &recipes_[number];
  }
  StepCounts Count(const TileRange& tiles) const;
  /// Writes the steps of a tile of any mask, which begins at `weight`; `next` is where each pairing's next step goes,
  /// and is returned moved on.
  StepCounts WriteAnyTile(TileMask mask, const float* weight, int64_t ld, uint32_t tile_offset, StepCounts next,
                          const PairBucketSteps& steps) const;

 private:
  static constexpr uint8_t kNotTransposable = 255;
  PackPlan(bool transposed, int64_t column_bytes);
  static const uint8_t* MaskNumbers();

  bool transposed_;
  int64_t column_bytes_;
  const uint8_t* numbers_;  // For each mask its place among recipes_.
  std::vector<TileRecipe> recipes_;
};

/// Writes the steps of a range from `steps` on; `counts` is what plan.Count(tiles) gave. All give the same bits.
using StepWriter = void (*)(const PackPlan& plan, const TileRange& tiles, StepCounts counts,
                            const PairBucketSteps& steps);

/// The reference: one weight after the other.
void WriteSteps(const PackPlan& plan, const TileRange& tiles, StepCounts counts, const PairBucketSteps& steps);
/// The fastest for an instruction set.
StepWriter StepWriterFor(Isa isa);

}  // namespace twofour::sparse
