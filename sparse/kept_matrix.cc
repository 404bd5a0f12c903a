#include "twofour/sparse/kept_matrix.h"

#include <algorithm>

#include "twofour/core/ops/check.h"

namespace twofour::sparse {

KeptMatrix::KeptMatrix(const Tensor& x, const Mask& mask) : cols_(mask.cols()) {
  ops::RequireLike("KeptMatrix", "x", x, DType::kF32, {mask.rows(), mask.cols()});
  begins_.push_back(0);
  int64_t most = 1;
  for (int64_t row = 0; row < mask.rows(); ++row) {
    for (int64_t col = 0; col < cols_; ++col) {
      if (mask.Keeps(row, col)) columns_.push_back(static_cast<int32_t>(col));
    }
    begins_.push_back(static_cast<int64_t>(columns_.size()));
    most = std::max(most, begins_[static_cast<size_t>(row) + 1] - begins_[static_cast<size_t>(row)]);
  }
  values_ = Tensor::Zeros({mask.rows(), most});
  const float* const from = x.data<float>();
  float* const to = values_.mutable_data<float>();
  for (int64_t row = 0; row < mask.rows(); ++row) {
    const int64_t begin = begins_[static_cast<size_t>(row)], end = begins_[static_cast<size_t>(row) + 1];
    for (int64_t i = begin; i < end; ++i)
      to[row * most + i - begin] = from[row * cols_ + columns_[static_cast<size_t>(i)]];
  }
}

Tensor KeptMatrix::Spread(const Tensor& values) const {
  ops::RequireLike("KeptMatrix", "values", values, DType::kF32, values_.shape());
  const int64_t rows = values_.dim(0), most = values_.dim(1);
  Tensor spread = Tensor::Zeros({rows, cols_});
  const float* const from = values.data<float>();
  float* const to = spread.mutable_data<float>();
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t begin = begins_[static_cast<size_t>(row)], end = begins_[static_cast<size_t>(row) + 1];
    for (int64_t i = begin; i < end; ++i)
      to[row * cols_ + columns_[static_cast<size_t>(i)]] = from[row * most + i - begin];
  }
  return spread;
}

}  // namespace twofour::sparse
