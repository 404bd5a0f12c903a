#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include <Eigen/Dense>

#include "twofour/core/tensor.h"

namespace twofour::test {

inline Eigen::MatrixXd ToEigen(const Tensor& matrix) {
  using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  return Eigen::Map<const RowMajor>(matrix.data<float>(), matrix.dim(0), matrix.dim(1)).cast<double>();
}

/// Rounded to f32.
inline Tensor ToTensor(const Eigen::MatrixXd& matrix) {
  Tensor tensor = Tensor::Empty({matrix.rows(), matrix.cols()});
  float* out = tensor.mutable_data<float>();
  for (int64_t r = 0; r < matrix.rows(); ++r) {
    for (int64_t c = 0; c < matrix.cols(); ++c) *out++ = static_cast<float>(matrix(r, c));
  }
  return tensor;
}

/// U f(S) V^T of a matrix U S V^T.
inline Eigen::MatrixXd MapSingularValues(const Eigen::MatrixXd& matrix, const std::function<double(double)>& f) {
  const Eigen::JacobiSVD<Eigen::MatrixXd> svd(matrix, Eigen::ComputeThinU | Eigen::ComputeThinV);
  return svd.matrixU() * svd.singularValues().unaryExpr(f).asDiagonal() * svd.matrixV().transpose();
}

/// What Orthogonalize computes, by its effect on singular values, in double.
inline Eigen::MatrixXd OrthogonalizeBySvd(const Eigen::MatrixXd& matrix, int steps) {
  const double norm = matrix.norm() + 1e-7;
  return MapSingularValues(matrix, [&](double s) {
    s /= norm;
    for (int step = 0; step < steps; ++step) s = s * (3.4445 + s * s * (-4.7750 + s * s * 2.0315));
    return s;
  });
}

}  // namespace twofour::test
