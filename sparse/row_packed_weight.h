#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "twofour/core/aligned_buffer.h"
#include "twofour/core/dtype.h"
#include "twofour/core/tensor.h"
#include "twofour/sparse/mask.h"
#include "twofour/sparse/mask_format.h"

namespace twofour::sparse {

/// A weight of which at most n of m neighbours along each row are kept, packed for inference: the kept values, and
/// where they stood. For 2:4 a position takes 2 bits, so that values of 16 bits take 9/16 of the dense weight's bytes,
/// and those of 32 bits 17/32 (Mishra et al., "Accelerating Sparse Deep Neural Networks", 2021). For other patterns it
/// takes a byte. Products of few rows are bound by reading the weight, so that they are faster by about as much.
class RowPackedWeight {
 public:
  static constexpr int kMostNeighbours = 32;  ///< m is at most this.

  /// Packs f32 `weight` [rows, cols] where the mask keeps, in values of f32 or bf16 (rounded to nearest even).
  /// `pattern` is MaskFormat::Rows(n, m). Groups that keep fewer are filled up with zeros, and so is a last group that
  /// is cut off. Throws Error on other shapes, dtypes and patterns, and where a group keeps more than n.
  RowPackedWeight(const Tensor& weight, const Mask& mask, const MaskFormat& pattern, DType values);

  int64_t rows() const { return rows_; }
  int64_t cols() const { return cols_; }
  DType dtype() const { return dtype_; }
  const MaskFormat& pattern() const { return pattern_; }
  /// Bytes of values and positions.
  size_t bytes() const { return values_->bytes() + positions_->bytes(); }
  /// The dense weight, f32 [rows, cols], with zeros where nothing was kept.
  Tensor Unpack() const;

  /// y = x W^T + bias: x [..., cols] of f32, f16 or bf16, bias f32 [rows] or undefined; y [..., rows] of x's dtype. Up
  /// to a dozen rows of x are multiplied with the packed weight. For more, parts of it are unpacked and multiplied as
  /// dense ones are. Products add up in f32; the same for any number of threads. Outside of any graph. Throws Error on
  /// other shapes and dtypes.
  Tensor Multiply(const Tensor& x, const Tensor& bias = {}) const;

 private:
  bool is_two_of_four() const { return pattern_.n == 2 && pattern_.m == 4; }
  int64_t groups() const;
  int64_t padded_cols() const;
  int64_t PlaceOf(int64_t row, int64_t group, int64_t which) const;
  int PositionAt(int64_t place) const;
  void SetPosition(int64_t place, int position);
  template <typename T>
  T* values() const {
    return reinterpret_cast<T*>(values_->data());
  }
  template <typename Set>
  void FillUp(int64_t begin, const std::vector<int64_t>& kept, const Set& set) const;
  template <typename From, typename T>
  void UnpackBlocks(int64_t row, const From* from, T* out) const;
  template <typename T>
  void UnpackRows(int64_t begin, int64_t end, T* to) const;
  void MultiplyFew(int64_t batch, const float* x, const float* bias, float* y) const;
  template <typename T>
  void MultiplyMany(int64_t batch, const T* x, const float* bias, T* y) const;

  int64_t rows_, cols_;
  MaskFormat pattern_;
  DType dtype_;
  std::shared_ptr<AlignedBuffer<std::byte>> values_, positions_;
};

/// Whether each group of `pattern` (MaskFormat::Rows) along the rows keeps at most n.
bool FitsRows(const Mask& mask, const MaskFormat& pattern);

}  // namespace twofour::sparse
