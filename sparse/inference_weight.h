#pragma once

#include <cstddef>
#include <cstdint>

#include "twofour/core/dtype.h"
#include "twofour/core/half.h"
#include "twofour/core/tensor.h"
#include "twofour/sparse/mask_format.h"

namespace twofour::sparse {

/// A weight [rows, cols] that is packed for inference: the values that are kept, in a few bits or as f32 or bf16, and
/// where they stood. Products of few rows are bound by reading the weight, so that they are faster than dense ones by
/// about what packing saves. Threads may use it at once.
class InferenceWeight {
 public:
  virtual ~InferenceWeight() = default;
  InferenceWeight(const InferenceWeight&) = delete;
  InferenceWeight& operator=(const InferenceWeight&) = delete;

  int64_t rows() const { return rows_; }
  int64_t cols() const { return cols_; }
  /// Of the values.
  DType dtype() const { return dtype_; }
  const MaskFormat& pattern() const { return pattern_; }
  /// Bytes in memory.
  virtual size_t bytes() const = 0;
  /// The dense weight, f32 [rows, cols], with zeros where nothing was kept.
  Tensor Unpack() const;

  /// y = x W^T + bias: x [..., cols] of f32, f16 or bf16, bias f32 [rows] or undefined; y [..., rows] of x's dtype. The
  /// same for any number of threads. Outside of any graph. Throws Error on other shapes and dtypes.
  Tensor Multiply(const Tensor& x, const Tensor& bias = {}) const;

 protected:
  /// `padded_cols`: how many columns unpacked rows have; those beyond `cols` are zero.
  InferenceWeight(int64_t rows, int64_t cols, int64_t padded_cols, const MaskFormat& pattern, DType values)
      : rows_(rows), cols_(cols), padded_cols_(padded_cols), pattern_(pattern), dtype_(values) {}

  int64_t padded_cols() const { return padded_cols_; }

  /// Writes rows `begin` to `end`, [end - begin, padded columns].
  template <typename T>
  void UnpackRows(int64_t begin, int64_t end, T* to) const;

 private:
  /// Multiply, after its checks. bias [rows] or null; y is of the shape and dtype that Multiply promises.
  virtual void Product(const Tensor& x, const float* bias, Tensor& y) const = 0;
  /// Writes a row, [padded columns].
  virtual void UnpackRow(int64_t row, float* to) const = 0;
  virtual void UnpackRow(int64_t row, BFloat16* to) const = 0;

  int64_t rows_, cols_, padded_cols_;
  MaskFormat pattern_;
  DType dtype_;
};

}  // namespace twofour::sparse
