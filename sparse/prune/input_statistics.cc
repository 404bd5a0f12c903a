#include "twofour/sparse/prune/input_statistics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "twofour/core/aligned_buffer.h"
#include "twofour/core/error.h"
#include "twofour/core/kernels/elements/reduce.h"
#include "twofour/core/kernels/gemm/symmetric_product.h"
#include "twofour/core/ops/check.h"
#include "twofour/core/parallel.h"

namespace twofour::sparse {
namespace {

/// Rows that are converted to double at a time. More are hardly faster.
constexpr int64_t kRowsAtATime = 256;

/// [count] numbers, each function(i).
template <typename T, typename Function>
Tensor Each(int64_t count, const Function& function) {
  std::vector<T> values;
  for (int64_t i = 0; i < count; ++i) values.push_back(static_cast<T>(function(i)));
  return Tensor::FromVector(values, {count});
}

}  // namespace

InputStatistics::InputStatistics(int64_t in_features, Extent extent)
    : in_features_(in_features),
      sums_{.values = Tensor::Zeros({in_features}, DType::kF64),
            .magnitudes = Tensor::Zeros({in_features}, DType::kF64),
            .squares = Tensor::Zeros({in_features}, DType::kF64)} {
  if (extent == Extent::kGram) sums_.gram = Tensor::Zeros({in_features, in_features}, DType::kF64);
}

void InputStatistics::Add(const Tensor& x, std::string_view name) {
  ops::RequireDType("InputStatistics", name, x, DType::kF32);
  if (x.rank() < 1 || x.cols() != in_features_) {
    throw Error(fmt::format("{}: inputs of shape {}, expected [..., {}]", name, ToString(x.shape()), in_features_));
  }
  const int64_t rows = x.rows(), cols = in_features_;
  const float* const from = x.data<float>();
  if (const int64_t at = kernels::FindNonFinite(x.numel(), from); at >= 0) {
    throw Error(fmt::format("{}: feature {} of its input {} is {}, expected finite activations", name, at % cols,
                            samples_ + at / cols, from[at]),
                ErrorKind::kRuntimeFailure);
  }
  double* const sums = sums_.values.mutable_data<double>();
  double* const magnitudes = sums_.magnitudes.mutable_data<double>();
  double* const squares = sums_.squares.mutable_data<double>();
  // Each range has columns of its own, so the order of the sums does not depend on the threads.
  ParallelFor(cols, RowGrain(rows), [&](int64_t begin, int64_t end) {
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t col = begin; col < end; ++col) {
        const auto value = static_cast<double>(from[row * cols + col]);
        sums[col] += value;
        magnitudes[col] += std::fabs(value);
        squares[col] += value * value;
      }
    }
  });
  samples_ += rows;
  if (!has_gram()) return;
  AlignedBuffer<double> wide(std::min(kRowsAtATime, rows) * cols);
  for (int64_t row = 0; row < rows; row += kRowsAtATime) {
    const int64_t count = std::min(kRowsAtATime, rows - row);
    const float* const part = from + row * cols;
    ParallelFor(count * cols, kElementwiseGrain,
                [&](int64_t begin, int64_t end) { std::copy(part + begin, part + end, wide.data() + begin); });
    kernels::AddSymmetricProduct(kernels::Transpose::kYes, cols, count, wide.data(), sums_.gram.mutable_data<double>());
  }
}

Tensor InputStatistics::Norms(std::string_view name) const {
  const double* const squares = sums_.squares.data<double>();
  const Tensor norms = Each<float>(in_features_, [&](int64_t i) { return std::sqrt(squares[i]); });
  if (const int64_t at = kernels::FindNonFinite(norms.numel(), norms.data<float>()); at >= 0) {
    throw Error(fmt::format("{}: the norm of feature {} of its inputs is {:g}, more than a 32-bit float can hold", name,
                            at, std::sqrt(squares[at])),
                ErrorKind::kRuntimeFailure);
  }
  return norms;
}

Tensor InputStatistics::MeanMagnitudes() const {
  const double* const sums = sums_.magnitudes.data<double>();
  const auto count = static_cast<double>(std::max<int64_t>(samples_, 1));
  return Each<float>(in_features_, [&](int64_t i) { return sums[i] / count; });
}

Tensor InputStatistics::Means() const {
  const double* const sums = sums_.values.data<double>();
  const auto count = static_cast<double>(std::max<int64_t>(samples_, 1));
  return Each<double>(in_features_, [&](int64_t i) { return sums[i] / count; });
}

Tensor InputStatistics::Variances() const {
  const double *const sums = sums_.values.data<double>(), *const squares = sums_.squares.data<double>();
  const auto count = static_cast<double>(std::max<int64_t>(samples_, 1));
  return Each<double>(in_features_, [&](int64_t i) {
    const double mean = sums[i] / count;
    return std::max(squares[i] / count - mean * mean, 0.0);
  });
}

const Tensor& InputStatistics::Gram() const {
  if (!has_gram()) throw Error("InputStatistics: no Gram matrix, expected an extent of kGram");
  return sums_.gram;
}

}  // namespace twofour::sparse
