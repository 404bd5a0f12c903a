#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include <Eigen/Core>

#include "twofour/core/tensor.h"

namespace twofour::test {

inline Eigen::MatrixXd ToEigen(const Tensor& matrix) {
  using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  return Eigen::Map<const RowMajor>(matrix.data<float>(), matrix.dim(0), matrix.dim(1)).cast<double>();
}

/// Rounds the elements to f32.
inline Tensor ToTensor(const Eigen::MatrixXd& matrix) {
  Tensor tensor = Tensor::Empty({matrix.rows(), matrix.cols()});
  float* out = tensor.mutable_data<float>();
  for (int64_t r = 0; r < matrix.rows(); ++r) {
    for (int64_t c = 0; c < matrix.cols(); ++c) *out++ = static_cast<float>(matrix(r, c));
  }
  return tensor;
}

// Defined in a .cc file, because Eigen takes half a minute to compile them.

Eigen::VectorXd SingularValues(const Eigen::MatrixXd& matrix);

/// U f(S) V^T of a matrix U S V^T.
Eigen::MatrixXd MapSingularValues(const Eigen::MatrixXd& matrix, const std::function<double(double)>& f);

/// What Orthogonalize computes, in double, from its effect on singular values.
Eigen::MatrixXd OrthogonalizeBySvd(const Eigen::MatrixXd& matrix, int steps);

}  // namespace twofour::test
