#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "twofour/core/aligned_buffer.h"
#include "twofour/sparse/kernels/low_bit/low_bit_layout.h"

namespace twofour::sparse {

/// A stored row of a weight of few bits.
struct LowBitRow {
  std::vector<uint8_t> codes;         ///< [values], one in each byte.
  std::vector<uint8_t> places;        ///< [values] of 2:4: of each group of four columns two that ascend; else empty.
  std::vector<uint8_t> block_scales;  ///< [ceil(values / 16)] bytes of Float8E4M3 of NVFP4; else empty.
};

/// A weight [rows, cols] of few bits as LowBitView has it, in memory of its own. It is filled once.
class LowBitMatrix {
 public:
  /// All codes are 0, and all scales 1.
  LowBitMatrix(LowBitKind kind, bool two_of_four, int64_t rows, int64_t cols);

  LowBitView view() const;
  int64_t cols() const { return cols_; }
  /// Values that are stored of a row.
  int64_t values() const { return StoredValues(two_of_four_, cols_); }
  static int64_t StoredValues(bool two_of_four, int64_t cols) {
    return two_of_four ? 2 * CeilDiv(cols, int64_t{4}) : cols;
  }
  /// The columns of `cols` and those that its last spans have beyond them.
  static int64_t PaddedCols(bool two_of_four, int64_t cols);
  size_t bytes() const { return tiles_.bytes() + scales_.bytes(); }

  /// Once for each row. Rows share no bytes.
  void SetRow(int64_t row, const LowBitRow& stored);
  LowBitRow GetRow(int64_t row) const;
  /// [rows]; of NVFP4 [1].
  float* scales() { return scales_.data(); }

 private:
  /// Calls `visit(value, its tile, tile's bytes, span in the tile, step, w)` for each stored value of a row.
  template <typename Visit>
  void ForEachValue(int64_t row, const Visit& visit) const;

  LowBitKind kind_;
  bool two_of_four_;
  int64_t rows_, cols_, spans_;
  AlignedBuffer<float> scales_;
  AlignedBuffer<uint8_t> tiles_;
};

}  // namespace twofour::sparse
