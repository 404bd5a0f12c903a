#pragma once

// Copies tiles into the steps of a PairBucketStream, which is the part of packing that is worth SIMD.

#include <cstdint>
#include <span>
#include <vector>

#include "twofour/core/isa.h"
#include "twofour/core/parallel.h"
#include "twofour/sparse/kernels/linear/linear_problem.h"
#include "twofour/sparse/kernels/pair_bucket/pair_bucket_stream.h"
#include "twofour/sparse/kernels/pair_bucket/tile_steps.h"
#include "twofour/sparse/mask_view.h"

namespace twofour::sparse {

/// The number of steps of each pairing, in 16 bits each. That is enough for one strip within one block.
using StepCounts = uint64_t;

inline uint16_t CountOf(StepCounts counts, int pairing) { return static_cast<uint16_t>(counts >> (16 * pairing)); }

/// Where the first step of each pairing goes. This fits a register, where three pointers would need memory.
inline StepCounts FirstSteps(StepCounts counts) {
  const StepCounts first = CountOf(counts, 0), second = CountOf(counts, 1);
  return (first << 16) + ((first + second) << 32);
}

/// The two steps of a transposable tile, ready to be copied.
struct alignas(64) TileRecipe {
  /// Which entry of the tile each of the eight weights is: 4 * row + col as it lies in the weight.
  int32_t entry[8] = {};
  StepCounts counts = 0;
  uint32_t offsets[2] = {};  ///< For each step both offsets from the first column of the tile, 16 bits each.
  uint8_t shift[2] = {};     ///< At which bit of StepCounts the count of each step's pairing begins.
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

/// The tiles of strip `strip` within block `block` of a matrix whose blocks have `block_cols` columns. The matrix is
/// `weight` under the mask (kForward) or the transpose of that (kInputGrad).
TileRange TilesOf(const float* weight, const MaskView& mask, Direction direction, int64_t block_cols, int64_t block,
                  int64_t strip);

/// How tiles become steps. There are recipes for the 90 transposable masks, which are all that an exact search finds.
/// Masks that keep less are worked out tile by tile.
class PackPlan {
 public:
  /// The plan for W or its transpose, and for panels whose columns take `column_bytes`. It is made when it is first
  /// used, and kept.
  static const PackPlan& For(bool transposed, int64_t column_bytes);

  int64_t column_bytes() const { return column_bytes_; }
  /// Null for a mask that is not transposable.
  const TileRecipe* Find(TileMask mask) const {
    const uint8_t number = numbers_[mask];
    return number == kNotTransposable ? nullptr : &recipes_[number];
  }
  StepCounts Count(const TileRange& tiles) const;
  /// Writes the steps of a tile of any mask, which begins at `weight`. `next` says where the next step of each pairing
  /// goes. Returns `next` after these steps.
  StepCounts WriteAnyTile(TileMask mask, const float* weight, int64_t ld, uint32_t tile_offset, StepCounts next,
                          const PairBucketSteps& steps) const;

 private:
  static constexpr uint8_t kNotTransposable = 255;
  PackPlan(bool transposed, int64_t column_bytes);
  static const uint8_t* MaskNumbers();

  bool transposed_;
  int64_t column_bytes_;
  const uint8_t* numbers_;  // The place of each mask in recipes_.
  std::vector<TileRecipe> recipes_;
};

/// Writes the steps of a range, from `steps` on. `counts` is what plan.Count(tiles) returned. All writers give the same
/// bits.
using StepWriter = void (*)(const PackPlan& plan, const TileRange& tiles, StepCounts counts,
                            const PairBucketSteps& steps);

/// The reference, which copies one weight after the other.
void WriteSteps(const PackPlan& plan, const TileRange& tiles, StepCounts counts, const PairBucketSteps& steps);
/// The fastest writer for an instruction set.
StepWriter StepWriterFor(Isa isa);

/// What a stream is made of: the steps of every strip within every block, block by block.
class StepSource {
 public:
  virtual ~StepSource() = default;
  StepSource(const StepSource&) = delete;
  StepSource& operator=(const StepSource&) = delete;

  /// Strips of one block. All blocks have as many, of which some may be empty.
  int64_t strips() const { return strips_; }
  int64_t blocks() const { return blocks_; }
  /// The steps of strip i % strips() within block i / strips().
  StepCounts counts(int64_t i) const { return counts_[static_cast<size_t>(i)]; }
  /// Where the steps of each strip begin in a stream that joins `together` steps of a bucket, and one entry more: the
  /// number of steps in all.
  std::vector<PairBucketStream::Buckets> LayOut(int64_t together) const;
  /// Writes the steps of a strip within a block, from `steps` on, with the instructions of `isa`. Where `spread`
  /// differs from counts(i), it says how many steps there is room for in each bucket. May be called on several threads.
  virtual void Write(int64_t i, StepCounts spread, Isa isa, const PairBucketSteps& steps) const = 0;
  /// Calls body(i) for each strip within each block, on all threads.
  template <typename Body>
  void ForEach(const Body& body) const {
    ParallelFor(blocks_ * strips_, grain_, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) body(i);
    });
  }

 protected:
  /// About `block_cols` columns in each strip within a block.
  StepSource(int64_t blocks, int64_t strips, int64_t block_cols)
      : blocks_(blocks),
        strips_(strips),
        grain_(1 + 8 * 1024 / block_cols),
        counts_(static_cast<size_t>(blocks * strips)) {}

  int64_t blocks_, strips_, grain_;
  std::vector<StepCounts> counts_;
};

/// The tiles of a mask as they lie: a strip is four rows of the matrix.
class TilesAsTheyLie final : public StepSource {
 public:
  /// Counts the steps, on all threads. A column of a panel takes `column_bytes`.
  TilesAsTheyLie(const float* weight, const MaskView& mask, Direction direction, int64_t block_cols,
                 int64_t column_bytes);
  void Write(int64_t i, StepCounts spread, Isa isa, const PairBucketSteps& steps) const override;

 private:
  TileRange tiles(int64_t i) const {
    return TilesOf(weight_, mask_, direction_, block_cols_, i / strips_, i % strips_);
  }

  const float* weight_;
  MaskView mask_;
  Direction direction_;
  int64_t block_cols_;
  const PackPlan& plan_;
};

}  // namespace twofour::sparse
