#pragma once

#include <cstddef>
#include <memory>
#include <utility>

#include "twofour/sparse/kernels/linear/linear_problem.h"
#include "twofour/sparse/kernels/linear/packed_weight.h"
#include "twofour/sparse/vnm_columns.h"

namespace twofour::sparse {

/// A V:N:M weight as a stream of pair buckets (PairBucketStream or Bf16PairBucketStream, made of VnmTiles), with the
/// columns of its blocks, which name the rows of the strips of W transposed.
template <typename Stream>
class VnmStream final : public PackedWeight {
 public:
  /// `stream` was packed for `direction`.
  VnmStream(const VnmColumns& columns, Direction direction, std::unique_ptr<const Stream> stream)
      : PackedWeight(stream->layout(), stream->isa()),
        columns_(columns),
        direction_(direction),
        stream_(std::move(stream)) {}

  size_t bytes() const override { return stream_->bytes() + columns_.bytes(); }
  const Stream& stream() const { return *stream_; }
  /// The columns that name the rows of strips. Null for W, whose strips are four rows one after the other.
  const VnmColumns* names() const { return direction_ == Direction::kInputGrad ? &columns_ : nullptr; }

 private:
  VnmColumns columns_;
  Direction direction_;
  std::unique_ptr<const Stream> stream_;
};

}  // namespace twofour::sparse
