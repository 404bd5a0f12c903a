#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "twofour/core/ceil_div.h"
#include "twofour/core/storage.h"
#include "twofour/sparse/kernels/linear/linear_problem.h"
#include "twofour/sparse/kernels/linear/packed_weight.h"
#include "twofour/sparse/kernels/pair_bucket/pair_bucket_stream.h"
#include "twofour/sparse/kernels/pair_bucket/tile_steps.h"
#include "twofour/sparse/mask_view.h"

namespace twofour::sparse {

/// Steps (see PairBucketSteps) taken two at a time, for processors that multiply pairs of bf16: the weights of both
/// steps for the same row of the strip make a pair, and so do the activations of both columns.
struct Bf16Steps {
  /// Columns within the block, times the bytes of a column of a panel: of both steps the first column, then of both the
  /// second.
  uint16_t (*offsets)[4] = nullptr;
  /// Pairs of bf16, the weight of the first step in the lower half: two for the first columns, two for the second.
  uint32_t (*weights)[4] = nullptr;
};

/// Joins `steps` steps of one bucket. If their number is odd, the last is joined with weights of zero. There is room
/// for a step more at the end of `from`.
using JoinSteps = void (*)(const PairBucketSteps& from, int64_t steps, const Bf16Steps& to);

/// A masked matrix [rows, cols] like PairBucketStream, but with its steps joined, and with weights rounded to bf16, to
/// nearest even.
class Bf16PairBucketStream final : public PackedWeight {
 public:
  static constexpr PackedLayout kLayout = PackedLayout::kBf16PairBucket;
  /// A panel is two vectors of 32 bf16, and a block of it takes 32 KiB of the first-level cache.
  static constexpr PairBucketTiling kTiling{64, 256};
  /// The most columns that a block of another tiling may have.
  static constexpr int64_t kMostBlockCols = 512;

  /// Packs f32 `weight` [mask.rows, mask.cols] (kForward) or its transpose (kInputGrad) where the mask keeps, for the
  /// kernels of `isa`, with the help of `join`.
  Bf16PairBucketStream(const float* weight, const MaskView& mask, Direction direction, Isa isa, JoinSteps join);
  /// The same from the steps of `source`, whose blocks have `block_cols` columns and whose offsets are those of a panel
  /// of kTiling.panel, for a matrix [rows, cols] in this layout.
  Bf16PairBucketStream(const StepSource& source, int64_t rows, int64_t cols, int64_t block_cols, Isa isa,
                       PackedLayout layout, JoinSteps join);

  size_t bytes() const override { return buckets_.size() * sizeof(Buckets) + storage_->bytes(); }
  int64_t rows() const { return rows_; }
  int64_t cols() const { return cols_; }
  int64_t block_cols() const { return block_cols_; }
  /// Strips of one block.
  int64_t strips() const { return strips_; }
  int64_t blocks() const { return CeilDiv(cols_, block_cols_); }

  using Buckets = PairBucketStream::Buckets;
  /// The buckets of a block, in joined steps: one for each strip, and one more.
  const Buckets* buckets(int64_t block) const { return &buckets_[static_cast<size_t>(block * strips())]; }
  const Bf16Steps& steps() const { return steps_; }

 private:
  int64_t rows_, cols_, block_cols_, strips_;
  std::vector<Buckets> buckets_;  // One more than there are strips in all blocks.
  std::unique_ptr<Storage> storage_;
  Bf16Steps steps_;  // In the storage.
};

}  // namespace twofour::sparse
