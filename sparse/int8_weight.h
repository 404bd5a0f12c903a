#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "twofour/core/tensor.h"
#include "twofour/sparse/inference_weight.h"
#include "twofour/sparse/kernels/int8/int8_kernel.h"
#include "twofour/sparse/mask.h"
#include "twofour/sparse/mask_format.h"

namespace twofour::sparse {

/// A matrix of bytes: its number (r, c) is scales[r] * values[r, c].
struct Int8Matrix {
  Tensor values;  ///< i8 [rows, cols], -127 to 127.
  Tensor scales;  ///< f32 [rows], finite and above 0.
};

/// Rounds f32 `weight` [rows, cols] to bytes, to nearest even. The scale of a row is its largest magnitude / 127, and 1
/// for a row of zeros. Throws Error (a runtime failure) that says `name` and the place if an element is not finite.
Int8Matrix QuantizeRows(const Tensor& weight, std::string_view name = "weight");

/// Throws Error, beginning with `source`, unless the two parts are a matrix as Int8Matrix says.
void RequireInt8Matrix(const Int8Matrix& matrix, std::string_view source);

/// A weight whose products are computed with bytes: those of the weight, and those to which each activation is rounded.
/// Sums are exact, and so every processor gives the same bits (see Int8Kernel).
class Int8Weight final : public InferenceWeight {
 public:
  /// `mask` has the matrix's shape, and `format` is what is known of it. `activation` is the range of all activations;
  /// without one, each token has its own. Throws Error on shapes that do not fit together, and on more than
  /// kMostInt8Columns columns.
  Int8Weight(const Int8Matrix& matrix, const Mask& mask, const MaskFormat& format,
             std::optional<Int8Range> activation = std::nullopt);

  size_t bytes() const override;
  const Tensor& scales() const { return scales_; }
  const std::optional<Int8Range>& activation() const { return activation_; }
  const Int8Kernel& kernel() const { return kernel_; }
  /// The bytes, i8 [rows, cols].
  Tensor Values() const;

 private:
  void Product(const Tensor& x, const float* bias, Tensor& y) const override;
  void UnpackRow(int64_t row, float* to) const override;
  void UnpackRow(int64_t row, BFloat16* to) const override;

  Tensor scales_;
  std::vector<int32_t> row_sums_;
  std::optional<Int8Range> activation_;
  const Int8Kernel& kernel_;
  std::unique_ptr<const Int8PackedWeight> packed_;
};

}  // namespace twofour::sparse
