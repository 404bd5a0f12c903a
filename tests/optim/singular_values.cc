#include "tests/optim/singular_values.h"

#include <Eigen/SVD>

namespace twofour::test {

Eigen::VectorXd SingularValues(const Eigen::MatrixXd& matrix) {
  return Eigen::JacobiSVD<Eigen::MatrixXd>(matrix).singularValues();
}

Eigen::MatrixXd MapSingularValues(const Eigen::MatrixXd& matrix, const std::function<double(double)>& f) {
  const Eigen::JacobiSVD<Eigen::MatrixXd> svd(matrix, Eigen::ComputeThinU | Eigen::ComputeThinV);
  return svd.matrixU() * svd.singularValues().unaryExpr(f).asDiagonal() * svd.matrixV().transpose();
}

Eigen::MatrixXd OrthogonalizeBySvd(const Eigen::MatrixXd& matrix, int steps) {
  const double norm = matrix.norm() + 1e-7;
  return MapSingularValues(matrix, [&](double s) {
    s /= norm;
    for (int step = 0; step < steps; ++step) s = s * (3.4445 + s * s * (-4.7750 + s * s * 2.0315));
    return s;
  });
}

}  // namespace twofour::test
