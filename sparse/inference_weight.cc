#include "twofour/sparse/inference_weight.h"

#include <fmt/format.h>

#include <algorithm>
#include <type_traits>
#include <vector>

#include "twofour/core/aligned_buffer.h"
#include "twofour/core/error.h"
#include "twofour/core/kernels/gemm/gemm.h"
#include "twofour/core/ops/check.h"
#include "twofour/core/parallel.h"

namespace twofour::sparse {
namespace {

// From so many rows of x on, unpacking costs less than it saves, as measured on Zen 3.
constexpr int64_t kMany = 13;
// Rows that are unpacked together: with 4096 columns they stay in the second-level cache.
constexpr int64_t kUnpackedRows = 64;
constexpr const char* kName = "packed weight";

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

InferenceWeight::InferenceWeight(const char* name, int64_t rows, int64_t cols, int64_t padded_cols,
                                 const MaskFormat& pattern, DType values)
    : rows_(rows), cols_(cols), padded_cols_(padded_cols), pattern_(pattern), dtype_(values) {
  if (values == DType::kF32 || values == DType::kBF16) return;
  throw Error(fmt::format("{}: values of {}, expected f32 or bf16", name, NameOf(values)));
}

/// Writes rows `begin` to `end`, [end - begin, padded columns].
template <typename T>
void InferenceWeight::UnpackRows(int64_t begin, int64_t end, T* to) const {
  ParallelFor(end - begin, RowGrain(padded_cols_), [&](int64_t first, int64_t last) {
    for (int64_t row = first; row < last; ++row) UnpackRow(begin + row, to + row * padded_cols_);
  });
}

Tensor InferenceWeight::Unpack() const {
  std::vector<float> padded(static_cast<size_t>(rows_ * padded_cols_));
  UnpackRows(0, rows_, padded.data());
  Tensor weight = Tensor::Empty({rows_, cols_});
  float* const to = weight.mutable_data<float>();
  for (int64_t row = 0; row < rows_; ++row) std::copy_n(padded.data() + row * padded_cols_, cols_, to + row * cols_);
  return weight;
}

/// x [batch, padded columns], y [batch, rows].
template <typename T>
void InferenceWeight::MultiplyMany(int64_t batch, const T* x, const float* bias, T* y) const {
  AlignedBuffer<T> part(kUnpackedRows * padded_cols_);
  for (int64_t row = 0; row < rows_; row += kUnpackedRows) {
    const int64_t count = std::min(kUnpackedRows, rows_ - row);
    UnpackRows(row, row + count, part.data());
    kernels::Gemm<T, T, T>({.m = batch,
                            .n = count,
                            .k = padded_cols_,
                            .a = x,
                            .lda = padded_cols_,
                            .transpose_a = kernels::Transpose::kNo,
                            .b = part.data(),
                            .ldb = padded_cols_,
                            .transpose_b = kernels::Transpose::kYes,
                            .c = y + row,
                            .ldc = rows_,
                            .accumulate = false,
                            .bias = bias == nullptr ? nullptr : bias + row});
  }
}

Tensor InferenceWeight::Multiply(const Tensor& x, const Tensor& bias) const {
  if (!x.defined() || !GoesWith(x.dtype(), DType::kF32) || x.rank() < 1 || x.cols() != cols_) {
    throw Error(fmt::format("{}: x is {}, expected f32, f16 or bf16 [..., {}]", kName, Describe(x), cols_));
  }
  if (bias.defined()) {
    ops::RequireDType(kName, "bias", bias, DType::kF32);
    if (bias.shape() != Shape{rows_}) {
      throw Error(fmt::format("{}: bias {}, expected [{}]", kName, ToString(bias.shape()), rows_));
    }
  }
  Shape shape = x.shape();
  shape.back() = rows_;
  const int64_t batch = x.numel() / std::max<int64_t>(cols_, 1);
  const float* const added = bias.defined() ? bias.data<float>() : nullptr;
  if (batch >= kMany && x.dtype() == DType::kBF16 && dtype_ == DType::kBF16) {
    Tensor y = Tensor::Empty(shape, DType::kBF16);
    const std::vector<BFloat16> rows = Padded<BFloat16>(x, batch, cols_, padded_cols_);
    MultiplyMany(batch, rows.data(), added, y.mutable_data<BFloat16>());
    return y;
  }
  Tensor y = Tensor::Empty(shape);
  const std::vector<float> rows = Padded<float>(x, batch, cols_, padded_cols_);
  if (batch >= kMany) {
    MultiplyMany(batch, rows.data(), added, y.mutable_data<float>());
  } else {
    MultiplyFew(batch, rows.data(), added, y.mutable_data<float>());
  }
  return x.dtype() == DType::kF32 ? y : y.To(x.dtype());
}

}  // namespace twofour::sparse
