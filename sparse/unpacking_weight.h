#pragma once

#include <cstdint>
#include <optional>

#include "twofour/core/half.h"
#include "twofour/core/tensor.h"
#include "twofour/sparse/inference_weight.h"

namespace twofour::sparse {

/// A packed weight whose products add up in f32. Up to a dozen rows of x are multiplied with the packed weight. For
/// more, parts of it are unpacked and multiplied as dense ones are.
class UnpackingWeight : public InferenceWeight {
 protected:
  /// `padded_cols`: how many columns unpacked rows and the rows of x have; those beyond `cols` are zero. Throws Error,
  /// beginning with `name`, on values of another dtype than f32 and bf16.
  UnpackingWeight(const char* name, int64_t rows, int64_t cols, int64_t padded_cols, const MaskFormat& pattern,
                  DType values);
  /// Values of few bits.
  UnpackingWeight(int64_t rows, int64_t cols, int64_t padded_cols, const MaskFormat& pattern, DType values)
      : InferenceWeight(rows, cols, padded_cols, pattern, values) {}

 private:
  void Product(const Tensor& x, const float* bias, Tensor& y) const final;
  /// x [batch, padded columns], y [batch, rows], bias [rows] or null; on all threads.
  virtual void MultiplyFew(int64_t batch, const float* x, const float* bias, float* y) const = 0;
  /// What sums of a row that is unpacked as bf16 are still to be multiplied by, if by anything: numbers of few bits are
  /// exact without their scale.
  virtual std::optional<float> Bf16ScaleOf(int64_t /*row*/) const { return std::nullopt; }
  void MultiplyAndScale(int64_t batch, const BFloat16* x, int64_t first, int64_t count, const BFloat16* part,
                        const float* bias, BFloat16* y) const;
  template <typename T>
  void MultiplyMany(int64_t batch, const T* x, const float* bias, T* y) const;
};

}  // namespace twofour::sparse
