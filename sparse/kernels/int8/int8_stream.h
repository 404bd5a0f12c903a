#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "twofour/core/aligned_buffer.h"
#include "twofour/core/ceil_div.h"
#include "twofour/sparse/kernels/int8/int8_kernel.h"
#include "twofour/sparse/kernels/pair_bucket/pair_bucket_pack.h"
#include "twofour/sparse/kernels/pair_bucket/pair_bucket_stream.h"

namespace twofour::sparse {

/// Steps (see PairBucketSteps) taken four at a time, for processors that multiply quads of bytes: the weights of the
/// four steps for the same row of the strip make a quad, and so do the activations of four columns.
struct Int8Steps {
  /// Columns within the block, times the bytes of a column of a panel: of the four steps the first columns, then the
  /// second ones.
  const uint16_t (*offsets)[8] = nullptr;
  /// Quads of bytes: two for the first columns, two for the second.
  const uint32_t (*weights)[4] = nullptr;
};

/// A masked matrix of bytes [rows, cols] as PairBucketStream has one of floats, but with steps joined by four. A bucket
/// whose number of steps is no multiple of four is filled up with weights of zero. Takes a byte for each entry of a 2:4
/// matrix, kept or not.
class Int8Stream final : public Int8PackedWeight {
 public:
  /// From the steps of `source`, whose weights are whole numbers from -127 to 127 and whose blocks have `block_cols`
  /// columns, of which each takes `column_bytes` of a panel.
  Int8Stream(const StepSource& source, int64_t rows, int64_t cols, int64_t block_cols, int64_t column_bytes);

  size_t bytes() const override;
  void UnpackRow(int64_t row, int8_t* to) const override;
  int64_t rows() const { return rows_; }
  int64_t cols() const { return cols_; }
  int64_t block_cols() const { return block_cols_; }
  /// Strips of one block: four rows each.
  int64_t strips() const { return strips_; }
  int64_t blocks() const { return CeilDiv(cols_, block_cols_); }

  using Buckets = PairBucketStream::Buckets;
  /// The buckets of a block, in joined steps: one for each strip, and one more.
  const Buckets* buckets(int64_t block) const { return &buckets_[static_cast<size_t>(block * strips())]; }
  Int8Steps steps() const {
    return {reinterpret_cast<const uint16_t(*)[8]>(offsets_.data()),
            reinterpret_cast<const uint32_t(*)[4]>(weights_.data())};
  }

 private:
  int64_t rows_, cols_, block_cols_, column_bytes_, strips_;
  std::vector<Buckets> buckets_;  // One more than there are strips in all blocks.
  AlignedBuffer<uint16_t> offsets_;
  AlignedBuffer<uint32_t> weights_;
};

/// A whole matrix of bytes in strips of four rows: of each strip, the quads of four neighbouring columns, row by row.
/// Rows and columns beyond the matrix are zeros.
class Int8Quads final : public Int8PackedWeight {
 public:
  /// What `mask` keeps of the weight. Products read `block_quads` quads of all rows, then the next ones.
  Int8Quads(const Int8View& weight, const MaskView& mask, int64_t block_quads);

  size_t bytes() const override { return quads_.bytes(); }
  void UnpackRow(int64_t row, int8_t* to) const override;
  int64_t rows() const { return rows_; }
  int64_t cols() const { return cols_; }
  int64_t strips() const { return CeilDiv(rows_, int64_t{4}); }
  int64_t block_quads() const { return block_quads_; }
  int64_t blocks() const { return CeilDiv(quads(), block_quads_); }
  /// Quads of a row.
  int64_t quads() const { return CeilDiv(cols_, int64_t{4}); }
  /// The quads of a strip, [quads()][4 rows].
  const uint32_t (*strip(int64_t strip) const)[4] {
    return reinterpret_cast<const uint32_t(*)[4]>(quads_.data() + strip * quads() * 4);
  }

 private:
  int64_t rows_, cols_, block_quads_;
  AlignedBuffer<uint32_t> quads_;
};

}  // namespace twofour::sparse
