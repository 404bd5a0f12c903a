#pragma once

#include <cstddef>

#include "twofour/sparse/kernels/linear/linear_problem.h"
#include "twofour/sparse/kernels/linear/packed_weight.h"
#include "twofour/sparse/kernels/pair_bucket/pair_bucket_stream.h"
#include "twofour/sparse/kernels/pair_bucket/vnm_tiles.h"
#include "twofour/sparse/mask_view.h"
#include "twofour/sparse/vnm_columns.h"

namespace twofour::sparse {

/// A V:N:M weight as a stream of pair buckets, with the columns of its blocks, which name the rows of the strips of W
/// transposed.
class VnmStream final : public PackedWeight {
 public:
  /// The stream of `tiles`, which were made of `mask` for `direction` and for this tiling.
  VnmStream(const VnmTiles& tiles, const MaskView& mask, Direction direction, const PairBucketTiling& tiling, Isa isa,
            PackedLayout layout, DType activation)
      : PackedWeight(layout, isa),
        columns_(tiles.columns()),
        stream_(tiles, direction == Direction::kForward ? mask.rows : mask.cols,
                direction == Direction::kForward ? mask.cols : mask.rows, tiling, isa, layout, activation) {}

  size_t bytes() const override { return stream_.bytes() + columns_.bytes(); }
  const VnmColumns& columns() const { return columns_; }
  const PairBucketStream& stream() const { return stream_; }

 private:
  VnmColumns columns_;
  PairBucketStream stream_;
};

}  // namespace twofour::sparse
