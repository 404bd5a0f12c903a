// Compiled several times, each time with another name in TWOFOUR_EIGEN_GEMM. Each copy needs its own namespace for
// Eigen: otherwise the linker would merge templates that were compiled for different processors.
#define Eigen TWOFOUR_EIGEN_NAMESPACE
#include "bench/peers/eigen_gemm.h"

#include <Eigen/Core>

namespace twofour::bench {
namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Operand = Eigen::Map<const Matrix>;

}  // namespace

void TWOFOUR_EIGEN_GEMM(const GemmShape& s, const float* a_data, const float* b_data, float* c_data) {
  const Operand a(a_data, s.transpose_a ? s.k : s.m, s.lda()), b(b_data, s.transpose_b ? s.n : s.k, s.ldb());
  Eigen::Map<Matrix> c(c_data, s.m, s.n);
  if (s.transpose_a) {
    c.noalias() = a.transpose() * b;
  } else if (s.transpose_b) {
    c.noalias() = a * b.transpose();
  } else {
    c.noalias() = a * b;
  }
}

}  // namespace twofour::bench
