#pragma once

#include <cstddef>
#include <memory>
#include <utility>

#include "twofour/sparse/kernels/linear/packed_weight.h"
#include "twofour/sparse/vnm_columns.h"

namespace twofour::sparse {

/// A V:N:M weight as a stream of pair buckets (PairBucketStream or Bf16PairBucketStream, made of VnmTiles), with the
/// columns of its blocks, which name the rows of the strips of W transposed.
template <typename Stream>
class VnmStream final : public PackedWeight {
 public:
  VnmStream(const VnmColumns& columns, std::unique_ptr<const Stream> stream)
      : PackedWeight(stream->layout(), stream->isa()), columns_(columns), stream_(std::move(stream)) {}

  size_t bytes() const override { return stream_->bytes() + columns_.bytes(); }
  const VnmColumns& columns() const { return columns_; }
  const Stream& stream() const { return *stream_; }

 private:
  VnmColumns columns_;
  std::unique_ptr<const Stream> stream_;
};

}  // namespace twofour::sparse
