#include "twofour/sparse/unpacking_weight.h"

#include <fmt/format.h>

#include <algorithm>
#include <type_traits>
#include <vector>

#include "twofour/core/aligned_buffer.h"
#include "twofour/core/error.h"
#include "twofour/core/kernels/gemm/gemm.h"

namespace twofour::sparse {
namespace {

// From so many rows of x on, unpacking costs less than it saves, as measured on Zen 3.
constexpr int64_t kMany = 13;
// Rows that are unpacked together: with 4096 columns they stay in the second-level cache.
constexpr int64_t kUnpackedRows = 64;

/// x [..., cols] as elements of type T, with zeros beyond its columns. [batch, padded]
template <typename T>
std::vector<T> Padded(const Tensor& x, int64_t batch, int64_t cols, int64_t padded) {
  std::vector<T> to(static_cast<size_t>(batch * padded), T(0.0F));
  const Tensor source = x.To(std::is_same_v<T, float> ? DType::kF32 : DType::kBF16);
  const T* const from = source.data<T>();
  for (int64_t b = 0; b < batch; ++b) std::copy_n(from + b * cols, cols, to.data() + b * padded);
  return to;
}

}  // namespace

UnpackingWeight::UnpackingWeight(const char* name, int64_t rows, int64_t cols, int64_t padded_cols,
                                 const MaskFormat& pattern, DType values)
    : InferenceWeight(rows, cols, padded_cols, pattern, values) {
  if (values == DType::kF32 || values == DType::kBF16) return;
  throw Error(fmt::format("{}: values of {}, expected f32 or bf16", name, NameOf(values)));
}

/// The same for rows `first` to `first` + `count`, which are unpacked at `part` and still lack their scales.
void UnpackingWeight::MultiplyAndScale(int64_t batch, const BFloat16* x, int64_t first, int64_t count,
                                       const BFloat16* part, const float* bias, BFloat16* y) const {
  AlignedBuffer<float> sums(batch * count);
  kernels::Gemm<BFloat16, BFloat16, float>({.m = batch,
                                            .n = count,
                                            .k = padded_cols(),
                                            .a = x,
                                            .lda = padded_cols(),
                                            .transpose_a = kernels::Transpose::kNo,
                                            .b = part,
                                            .ldb = padded_cols(),
                                            .transpose_b = kernels::Transpose::kYes,
                                            .c = sums.data(),
                                            .ldc = count,
                                            .accumulate = false,
                                            .bias = nullptr});
  for (int64_t row = 0; row < count; ++row) {
    const float scale = *Bf16ScaleOf(first + row);
    for (int64_t b = 0; b < batch; ++b) {
      const float sum = sums.data()[b * count + row] * scale;
      y[b * rows() + first + row] = BFloat16(bias == nullptr ? sum : sum + bias[first + row]);
    }
  }
}

/// x [batch, padded columns], y [batch, rows].
template <typename T>
void UnpackingWeight::MultiplyMany(int64_t batch, const T* x, const float* bias, T* y) const {
  AlignedBuffer<T> part(kUnpackedRows * padded_cols());
  for (int64_t row = 0; row < rows(); row += kUnpackedRows) {
    const int64_t count = std::min(kUnpackedRows, rows() - row);
    UnpackRows(row, row + count, part.data());
    if constexpr (std::is_same_v<T, BFloat16>) {
      if (Bf16ScaleOf(row)) {
        MultiplyAndScale(batch, x, row, count, part.data(), bias, y);
        continue;
      }
    }
    kernels::Gemm<T, T, T>({.m = batch,
                            .n = count,
                            .k = padded_cols(),
                            .a = x,
                            .lda = padded_cols(),
                            .transpose_a = kernels::Transpose::kNo,
                            .b = part.data(),
                            .ldb = padded_cols(),
                            .transpose_b = kernels::Transpose::kYes,
                            .c = y + row,
                            .ldc = rows(),
                            .accumulate = false,
                            .bias = bias == nullptr ? nullptr : bias + row});
  }
}

void UnpackingWeight::Product(const Tensor& x, const float* bias, Tensor& y) const {
  const int64_t batch = y.numel() / rows();
  if (batch >= kMany && x.dtype() == DType::kBF16 && dtype() != DType::kF32) {
    const std::vector<BFloat16> in = Padded<BFloat16>(x, batch, cols(), padded_cols());
    MultiplyMany(batch, in.data(), bias, y.mutable_data<BFloat16>());
    return;
  }
  Tensor sums = x.dtype() == DType::kF32 ? y : Tensor::Empty(y.shape());
  const std::vector<float> in = Padded<float>(x, batch, cols(), padded_cols());
  if (batch >= kMany) {
    MultiplyMany(batch, in.data(), bias, sums.mutable_data<float>());
  } else {
    MultiplyFew(batch, in.data(), bias, sums.mutable_data<float>());
  }
  if (x.dtype() != DType::kF32) y = sums.To(x.dtype());
}

}  // namespace twofour::sparse
