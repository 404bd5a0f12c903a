#include "twofour/sparse/soft_threshold.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/parallel.h"

namespace twofour::sparse {

Tensor SoftThreshold(const Tensor& weight, const RowPattern& pattern, const Mask& mask) {
  RequirePattern(pattern);
  if (weight.shape() != Shape{mask.rows(), mask.cols()} || mask.cols() % pattern.of != 0) {
    throw Error(
        fmt::format("SoftThreshold: a weight of shape {} and a mask of shape [{}, {}], expected equal shapes and "
                    "columns in groups of {}",
                    ToString(weight.shape()), mask.rows(), mask.cols(), pattern.of));
  }
  const int64_t cols = mask.cols();
  const float* w = weight.data<float>();
  Tensor result = Tensor::Empty(weight.shape());
  float* out = result.mutable_data<float>();
  ParallelFor(mask.rows(), RowGrain(cols), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      for (int64_t group = 0; group < cols; group += pattern.of) {
        float threshold = 0;
        for (int64_t col = group; col < group + pattern.of; ++col) {
          if (!mask.Keeps(row, col)) threshold = std::max(threshold, std::fabs(w[row * cols + col]));
        }
        for (int64_t col = group; col < group + pattern.of; ++col) {
          const float value = w[row * cols + col];
          const float left = std::max(std::fabs(value) - threshold, 0.0f);
          out[row * cols + col] = mask.Keeps(row, col) ? std::copysign(left, value) : 0.0f;
        }
      }
    }
  });
  return result;
}

double ScaleToFit(const Tensor& weight, const Tensor& pruned) {
  if (weight.shape() != pruned.shape()) {
    throw Error(fmt::format("ScaleToFit: shapes {} and {}, expected equal ones", ToString(weight.shape()),
                            ToString(pruned.shape())));
  }
  const float* w = weight.data<float>();
  const float* p = pruned.data<float>();
  double product = 0, square = 0;
  for (int64_t i = 0; i < weight.numel(); ++i) {
    product += double{w[i]} * double{p[i]};
    square += double{p[i]} * double{p[i]};
  }
  return square > 0 ? product / square : 1.0;
}

}  // namespace twofour::sparse
