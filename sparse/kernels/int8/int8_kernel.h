#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "twofour/core/dtype.h"
#include "twofour/core/isa.h"
#include "twofour/sparse/kernels/linear/linear_kernel.h"
#include "twofour/sparse/mask_view.h"

namespace twofour::sparse {

/// The most columns of a weight of 8 bits: sums of more products of 255 * 127 might not fit into 32 bits.
inline constexpr int64_t kMostInt8Columns = 65536;

/// How numbers became bytes: number = scale * (byte - zero_point).
struct Int8Range {
  float scale = 1;
  int32_t zero_point = 0;  ///< 0 to 255.
};

/// The range of all numbers from `min` to `max` and 0, in 255 steps. 0 itself is one of the 256 numbers, so zeros stay
/// zeros. For numbers that are not finite, the scale is a NaN.
Int8Range RangeOf(float min, float max);

/// A weight [rows, cols] of signed bytes, -127 to 127, as it lies.
struct Int8View {
  const int8_t* values = nullptr;
  int64_t rows = 0, cols = 0;
};

/// What becomes of the sums of row n of the weight for a token: (sum * the token's scale) * scales[n] + bias[n], in
/// f32, in this order.
struct Int8Epilogue {
  const float* scales = nullptr;          ///< [rows]
  const float* bias = nullptr;            ///< [rows], or null.
  const int32_t* row_sums = nullptr;      ///< [rows]: the sum of each row of the weight, for zero points.
  const Int8Range* activation = nullptr;  ///< Of all activations. Null: each token has the range of its own numbers.
};

/// A weight in the layout of some kernels.
class Int8PackedWeight {
 public:
  virtual ~Int8PackedWeight() = default;
  Int8PackedWeight(const Int8PackedWeight&) = delete;
  Int8PackedWeight& operator=(const Int8PackedWeight&) = delete;
  virtual size_t bytes() const = 0;
  /// Writes a row of the weight, [cols], with zeros where the mask drops.
  virtual void UnpackRow(int64_t row, int8_t* to) const = 0;

 protected:
  Int8PackedWeight() = default;
};

/// One way to compute y = x W^T with a weight of 8 bits and activations that are rounded to 8 bits on the way in. Sums
/// are exact, and what comes before and after them is done in one order: so all kernels give the same bits.
struct Int8Kernel {
  std::string name;    ///< "int8_pair_bucket_avx512vnni".
  std::string family;  ///< "int8_pair_bucket".
  Isa isa;
  std::string tiling;     ///< In words.
  bool emulated = false;  ///< For tests.
  /// Looks at a mask's format and the weight's sizes.
  Verdict (*check)(const LinearProblem& problem);
  /// Packs what the mask keeps of a weight of its shape.
  std::unique_ptr<Int8PackedWeight> (*pack)(const Int8View& weight, const MaskView& mask);
  /// in [batch, cols] and out [batch, rows], row-major, both f32 or both bf16 as `dtype` says. They must not overlap.
  void (*multiply)(const Int8PackedWeight& weight, const Int8Epilogue& epilogue, int64_t batch, DType dtype,
                   const void* in, void* out);
};

/// The table: fastest first.
std::span<const Int8Kernel> Int8Kernels();

/// The first kernel of the table that takes the problem on this processor, or the one that TWOFOUR_KERNEL names. Throws
/// Error if that one cannot take it.
const Int8Kernel& ChooseInt8Kernel(const LinearProblem& problem);

/// Whether ChooseInt8Kernel may take a kernel, and whether it should.
Verdict Check(const Int8Kernel& kernel, const LinearProblem& problem);

}  // namespace twofour::sparse
