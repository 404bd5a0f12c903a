#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "twofour/core/tensor.h"
#include "twofour/sparse/kernels/low_bit/low_bit_kernel.h"
#include "twofour/sparse/kernels/low_bit/low_bit_matrix.h"
#include "twofour/sparse/low_bit_parts.h"
#include "twofour/sparse/mask.h"
#include "twofour/sparse/unpacking_weight.h"

namespace twofour::sparse {

/// A weight of 8 or 4 bits, dense or 2:4 along rows, whose activations are not rounded: with few rows of x, products
/// take as long as reading the weight. A 2:4 weight takes 0.63 bytes for each entry in 8 bits, and 0.41 in NVFP4; rows
/// are filled up to a multiple of 128 columns (dense: 64).
///
/// Products of numbers of the weight (without their scales, which come last) with those of x are exact or rounded once,
/// and add up in f32, in an order that depends on the processor alone: so results do not depend on the number of
/// threads nor, as long as x has few rows, on the others of them: many are multiplied as floats (UnpackingWeight). Sums
/// that leave the range of floats are infinite, however small the scale is. Where the processor multiplies pairs of
/// bf16, f32 activations are cut into three bf16 without loss, f16 ones into two, and each of these terms has sums of
/// its own; numbers and sums below 2^-126 count as zero there.
class LowBitWeight final : public UnpackingWeight {
 public:
  /// What RoundToFewBits makes of these. Throws as it does.
  LowBitWeight(const Tensor& weight, const Mask& mask, const MaskFormat& format, LowBitKind kind,
               std::string_view name = "LowBitWeight");
  /// Takes what a file holds. Throws as RequireLowBitParts does.
  explicit LowBitWeight(const LowBitParts& parts, std::string_view source = "LowBitWeight");

  LowBitKind kind() const { return kind_; }
  const LowBitKernel& kernel() const { return kernel_; }
  size_t bytes() const override { return matrix_.bytes(); }
  /// What a file is to hold. A weight that is made of it is the same.
  LowBitParts Parts() const;

 private:
  void MultiplyFew(int64_t batch, const float* x, const float* bias, float* y) const override;
  void UnpackRow(int64_t row, float* to) const override;
  void UnpackRow(int64_t row, BFloat16* to) const override;
  std::optional<float> Bf16ScaleOf(int64_t row) const override { return matrix_.view().ScaleOf(row); }
  template <typename T>
  void UnpackNumbers(int64_t row, float scale, T* to) const;

  LowBitKind kind_;
  LowBitMatrix matrix_;
  const LowBitKernel& kernel_;
};

}  // namespace twofour::sparse
