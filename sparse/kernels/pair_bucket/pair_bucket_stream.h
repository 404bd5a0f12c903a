#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "twofour/core/ceil_div.h"
#include "twofour/core/storage.h"
#include "twofour/sparse/kernels/linear/linear_problem.h"
#include "twofour/sparse/kernels/linear/packed_weight.h"
#include "twofour/sparse/kernels/pair_bucket/tile_steps.h"
#include "twofour/sparse/mask_view.h"

namespace twofour::sparse {

/// How a pair-bucket kernel cuts its work.
struct PairBucketTiling {
  int64_t panel = 0;       ///< Batch rows that are multiplied together: vectors times lanes.
  int64_t block_cols = 0;  ///< Columns whose activations the first-level cache holds together.
};

/// Steps. Each step takes two columns of a tile, and the weights with which each column feeds two of the four rows of
/// the strip. The bucket says which rows (kPairingRows). There are two arrays, so that the weights are aligned.
struct PairBucketSteps {
  uint16_t (*offsets)[2] = nullptr;  ///< Columns within the block, times the bytes of a column of a panel.
  float (*weights)[4] = nullptr;     ///< Two of the first column, two of the second.
  PairBucketSteps operator+(int64_t steps) const { return {offsets + steps, weights + steps}; }
};

class StepSource;

/// A masked matrix [rows, cols] as a stream of steps (see StepsOfTile). For every block of columns, and within it for
/// every strip of four rows, the steps of the strip stand in three buckets, one for each pairing. So in a loop over one
/// bucket, the roles of the accumulators are fixed at compile time, without a branch or a shuffle.
class PairBucketStream final : public PackedWeight {
 public:
  /// Packs f32 `weight` [mask.rows, mask.cols] (kForward) or its transpose (kInputGrad) where the mask keeps, with the
  /// instructions of `isa`. Isa::kAny is the scalar reference, to which all others are equal bit for bit.
  /// If `activation` is bf16, the weights are rounded to bf16, to nearest even.
  PairBucketStream(const float* weight, const MaskView& mask, Direction direction, const PairBucketTiling& tiling,
                   Isa isa, DType activation = DType::kF32);
  /// The same from the steps of `source`, whose offsets are those of a panel's f32 columns and whose blocks are those
  /// of `tiling`, for a matrix [rows, cols] in this layout.
  PairBucketStream(const StepSource& source, int64_t rows, int64_t cols, const PairBucketTiling& tiling, Isa isa,
                   PackedLayout layout, DType activation);

  /// The layout for activations of a dtype.
  static constexpr PackedLayout LayoutFor(DType activation) {
    return activation == DType::kBF16 ? PackedLayout::kRoundedPairBucket : PackedLayout::kPairBucket;
  }

  size_t bytes() const override;
  int64_t rows() const { return rows_; }
  int64_t cols() const { return cols_; }
  const PairBucketTiling& tiling() const { return tiling_; }
  int64_t block_cols() const { return tiling_.block_cols; }
  /// Strips of one block.
  int64_t strips() const { return strips_; }
  int64_t blocks() const { return CeilDiv(cols_, block_cols()); }

  /// The steps of one strip within one block. They end where those of the next begin.
  struct Buckets {
    uint32_t begin = 0;
    uint16_t count[2] = {};  ///< For the first two pairings. The third has the rest.
  };
  /// The buckets of a block: one for each strip, and one more.
  const Buckets* buckets(int64_t block) const { return &buckets_[static_cast<size_t>(block * strips())]; }
  const PairBucketSteps& steps() const { return steps_; }

 private:
  int64_t rows_, cols_, strips_;
  PairBucketTiling tiling_;
  std::vector<Buckets> buckets_;  // One more than there are strips in all blocks.
  std::unique_ptr<Storage> storage_;
  PairBucketSteps steps_;  // In the storage.
};

}  // namespace twofour::sparse
