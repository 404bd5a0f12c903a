#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "twofour/sparse/kernels/linear/linear_problem.h"
#include "twofour/sparse/kernels/linear/packed_weight.h"
#include "twofour/sparse/kernels/pair_bucket/vnm_tiles.h"
#include "twofour/sparse/mask_view.h"
#include "twofour/sparse/vnm_columns.h"

namespace twofour::sparse {

/// A V:N:M weight as a stream of pair buckets (PairBucketStream or Bf16PairBucketStream), with the columns of its
/// blocks, which name the rows of the strips of W transposed.
template <typename PairBuckets>
class VnmStream final : public PackedWeight {
 public:
  /// make(rows, cols) makes the stream of `tiles` for the matrix, W or W transposed, of that size.
  template <typename Make>
  VnmStream(PackedLayout layout, Isa isa, const VnmColumns& columns, const Make& make, const MaskView& mask,
            Direction direction)
      : PackedWeight(layout, isa),
        columns_(columns),
        stream_(direction == Direction::kForward ? make(mask.rows, mask.cols) : make(mask.cols, mask.rows)) {}

  size_t bytes() const override { return stream_->bytes() + columns_.bytes(); }
  const VnmColumns& columns() const { return columns_; }
  const PairBuckets& stream() const { return *stream_; }

 private:
  VnmColumns columns_;
  std::unique_ptr<const PairBuckets> stream_;
};

}  // namespace twofour::sparse
