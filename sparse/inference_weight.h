#pragma once

#include <cstddef>
#include <cstdint>

#include "twofour/core/dtype.h"
#include "twofour/core/half.h"
#include "twofour/core/tensor.h"
#include "twofour/sparse/mask_format.h"

namespace twofour::sparse {

/// A sparse weight [rows, cols] that is packed for inference: the values that are kept, as f32 or bf16, and where they
/// stood. Products of few rows are bound by reading the weight, so that they are faster than dense ones by about what
/// packing saves. Threads may use it at once.
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

  /// y = x W^T + bias: x [..., cols] of f32, f16 or bf16, bias f32 [rows] or undefined; y [..., rows] of x's dtype. Up
  /// to a dozen rows of x are multiplied with the packed weight. For more, parts of it are unpacked and multiplied as
  /// dense ones are. Products add up in f32; the same for any number of threads. Outside of any graph. Throws Error on
  /// other shapes and dtypes.
  Tensor Multiply(const Tensor& x, const Tensor& bias = {}) const;

 protected:
  /// `padded_cols`: how many columns unpacked rows and the rows of x have; those beyond `cols` are zero. Throws Error,
  /// beginning with `name`, on values of another dtype.
  InferenceWeight(const char* name, int64_t rows, int64_t cols, int64_t padded_cols, const MaskFormat& pattern,
                  DType values);

  int64_t padded_cols() const { return padded_cols_; }

 private:
  /// x [batch, padded columns], y [batch, rows], bias [rows] or null; on all threads.
  virtual void MultiplyFew(int64_t batch, const float* x, const float* bias, float* y) const = 0;
  /// Writes a row, [padded columns].
  virtual void UnpackRow(int64_t row, float* to) const = 0;
  virtual void UnpackRow(int64_t row, BFloat16* to) const = 0;

  template <typename T>
  void UnpackRows(int64_t begin, int64_t end, T* to) const;
  template <typename T>
  void MultiplyMany(int64_t batch, const T* x, const float* bias, T* y) const;

  int64_t rows_, cols_, padded_cols_;
  MaskFormat pattern_;
  DType dtype_;
};

}  // namespace twofour::sparse
