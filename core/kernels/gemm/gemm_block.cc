// The only file that knows which library computes dense products.
#include "twofour/core/kernels/gemm/gemm_block.h"

#define EIGEN_DONT_PARALLELIZE  // Gemm divides the work among threads itself.
#include <fmt/format.h>

#include <Eigen/Core>

#ifdef TWOFOUR_HAVE_ONEDNN
#include <oneapi/dnnl/dnnl.h>
#endif

#include "twofour/core/error.h"
#include "twofour/core/kernels/gemm/double_gemm.h"
#include "twofour/core/one_openmp_thread.h"

namespace twofour::kernels {
namespace {

template <typename T>
using RowMajor = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
template <typename T>
using ConstView = Eigen::Map<const RowMajor<T>, 0, Eigen::OuterStride<>>;

template <typename T, typename A, typename B>
void EigenProduct(const GemmProblem<T>& p, const A& a, const B& b) {
  Eigen::Map<RowMajor<T>, 0, Eigen::OuterStride<>> c(p.c, p.m, p.n, Eigen::OuterStride<>(p.ldc));
  if (p.accumulate) {
    c.noalias() += a * b;
  } else {
    c.noalias() = a * b;
  }
}

template <typename T>
void EigenBlock(const GemmProblem<T>& p) {
  const bool ta = p.transpose_a == Transpose::kYes, tb = p.transpose_b == Transpose::kYes;
  const ConstView<T> a(p.a, ta ? p.k : p.m, ta ? p.m : p.k, Eigen::OuterStride<>(p.lda));
  const ConstView<T> b(p.b, tb ? p.n : p.k, tb ? p.k : p.n, Eigen::OuterStride<>(p.ldb));
  if (ta && tb) return EigenProduct(p, a.transpose(), b.transpose());
  if (ta) return EigenProduct(p, a.transpose(), b);
  if (tb) return EigenProduct(p, a, b.transpose());
  EigenProduct(p, a, b);
}

}  // namespace

void GemmBlock(const GemmProblem<double>& problem) {
  static const DoubleGemmKernel* const own = FastDoubleGemm();
  own != nullptr ? own->multiply(problem) : EigenBlock(problem);
}

#ifdef TWOFOUR_HAVE_ONEDNN

void GemmBlock(const GemmProblem<float>& p) {
  const OneOpenMpThread guard;
  const auto letter = [](Transpose transpose) { return transpose == Transpose::kYes ? 'T' : 'N'; };
  const dnnl_status_t status = dnnl_sgemm(letter(p.transpose_a), letter(p.transpose_b), p.m, p.n, p.k, 1.0f, p.a, p.lda,
                                          p.b, p.ldb, p.accumulate ? 1.0f : 0.0f, p.c, p.ldc);
  if (status != dnnl_success) {
    throw Error(fmt::format("oneDNN sgemm of [{}, {}] x [{}, {}] failed with status {}", p.m, p.k, p.k, p.n,
                            static_cast<int>(status)),
                ErrorKind::kRuntimeFailure);
  }
}

std::string GemmLibraryName() {
  const dnnl_version_t* version = dnnl_version();
  return fmt::format("oneDNN {}.{}.{}", version->major, version->minor, version->patch);
}

#else

void GemmBlock(const GemmProblem<float>& problem) { EigenBlock(problem); }

std::string GemmLibraryName() {
  return fmt::format("Eigen {}.{}.{}", EIGEN_WORLD_VERSION, EIGEN_MAJOR_VERSION, EIGEN_MINOR_VERSION);
}

#endif

}  // namespace twofour::kernels
