#pragma once

#include <cstddef>
#include <cstdint>

#include "twofour/core/aligned_buffer.h"
#include "twofour/core/dtype.h"
#include "twofour/sparse/kernels/packed_rows/packed_rows.h"

namespace twofour::sparse {

/// Values and positions of a weight [rows, 4 * groups] that keeps two of four neighbours along its rows, in memory of
/// its own, as PackedRowsView has them. For inference: it is filled once.
class TwoOfFourRows {
 public:
  /// Zeros. `values` is f32 or bf16.
  TwoOfFourRows(int64_t rows, int64_t groups, DType values);

  /// Columns with padding: a multiple of kPackedRowsBlock.
  int64_t padded_cols() const { return blocks_ * kPackedRowsBlock; }
  size_t bytes() const { return values_.bytes() + positions_.bytes(); }

  /// Sets stored entry `which` (0 or 1) of a row's group, once. T is the type of the values. The two entries of a group
  /// need different positions, even where they are 0. Rows share no bytes.
  template <typename T>
  void Set(int64_t row, int64_t group, int64_t which, T value, int position);
  /// Writes a whole row, [padded_cols()].
  template <typename T>
  void UnpackRow(int64_t row, T* to) const;

  /// y = x W^T + bias on all threads: x [batch, padded_cols()], y [batch, rows], bias [rows] or null. Products add up
  /// in f32, in an order that depends on the processor alone.
  void Multiply(int64_t batch, const float* x, const float* bias, float* y) const;
  /// The same for rows `begin` to `end` alone, on the calling thread. Begins at a multiple of kPackedRowsQuad, and ends
  /// at one or at the last row.
  void MultiplyRows(int64_t begin, int64_t end, int64_t batch, const float* x, const float* bias, float* y) const;

 private:
  template <typename T>
  PackedRowsView<T> view() const {
    return {rows_, blocks_, reinterpret_cast<const T*>(values_.data()), positions_.data()};
  }
  template <typename Use>
  void WithView(const Use& use) const;

  int64_t rows_, blocks_;
  DType dtype_;
  AlignedBuffer<std::byte> values_;
  AlignedBuffer<uint16_t> positions_;
};

}  // namespace twofour::sparse
