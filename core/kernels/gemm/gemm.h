#pragma once

#include <cstdint>
#include <string>

namespace twofour::kernels {

enum class Transpose { kNo, kYes };

/// A dense product of row-major matrices, C = op(A) op(B) or C += op(A) op(B): op(A) is [m, k],
/// op(B) is [k, n] and C is [m, n]. A matrix that is transposed is stored the other way round. The
/// leading dimensions count elements from one stored row to the next. C must not overlap A or B.
template <typename T>
struct GemmProblem {
  int64_t m = 0, n = 0, k = 0;
  const T* a = nullptr;
  int64_t lda = 0;
  Transpose transpose_a = Transpose::kNo;
  const T* b = nullptr;
  int64_t ldb = 0;
  Transpose transpose_b = Transpose::kNo;
  T* c = nullptr;
  int64_t ldc = 0;
  bool accumulate = false;
};

/// Computes a product. Products of floats use twofour's own kernel on AVX2 and AVX-512 (see float_gemm.h). All others
/// use oneDNN (for float, if it was built in) or Eigen. Results do not depend on the number of threads. If k is 0, C
/// becomes zeros, or stays as it is when accumulating.
template <typename T>
void Gemm(const GemmProblem<T>& problem);

/// Contiguous C[m, n] = A[m, k] B[k, n] with the given transpositions: op(A) is [m, k], op(B) is
/// [k, n].
template <typename T>
void Gemm(Transpose transpose_a, Transpose transpose_b, int64_t m, int64_t n, int64_t k, const T* a, const T* b, T* c);

/// What computes products of floats here: "twofour", "oneDNN 2.6.3" or "Eigen 3.4.0".
std::string GemmName();

}  // namespace twofour::kernels
