#pragma once

#include <cstdint>
#include <string>
#include <type_traits>

namespace twofour::kernels {

enum class Transpose { kNo, kYes };

/// The type in which the sums of a product are added up whose C has elements of type T.
template <typename T>
using GemmSum = std::conditional_t<std::is_same_v<T, double>, double, float>;

/// A dense product of row-major matrices, C = op(A) op(B) or C += op(A) op(B): op(A) is [m, k], op(B) is [k, n] and C
/// is [m, n]. A matrix that is transposed is stored the other way round. The leading dimensions count elements from one
/// stored row to the next. C must not overlap A or B.
///
/// Either all elements are double, or each matrix has elements of type float, Float16 or BFloat16, independently of the
/// others.
template <typename A, typename B = A, typename C = A>
struct GemmProblem {
  int64_t m = 0, n = 0, k = 0;
  const A* a = nullptr;
  int64_t lda = 0;
  Transpose transpose_a = Transpose::kNo;
  const B* b = nullptr;
  int64_t ldb = 0;
  Transpose transpose_b = Transpose::kNo;
  C* c = nullptr;
  int64_t ldc = 0;
  bool accumulate = false;
  /// [n], added to each row of the product, or null.
  const GemmSum<C>* bias = nullptr;
};

/// Computes a product. Products of bf16 use what FastBf16Gemm (bf16_gemm.h) gives, if there is something: that counts
/// denormal numbers as zero. Otherwise products of floats use twofour's own kernel on AVX2 and AVX-512 (float_gemm.h).
/// So do products of doubles (double_gemm.h). All others use oneDNN (for float, if it was built in) or Eigen. Results
/// do not depend on the number of threads. If k is 0, the product is zero.
///
/// Other operands of 16 bits are widened. Products add up in float. A C of 16 bits is rounded once, to nearest even,
/// from the whole sum, old C and bias included. Where one operand is bf16 and the other float, the floats are rounded
/// to bf16 first, so that processors can multiply pairs of bf16 (see bf16_gemm.h).
template <typename A, typename B, typename C>
void Gemm(const GemmProblem<A, B, C>& problem);

/// Contiguous C[m, n] = A[m, k] B[k, n] with the given transpositions: op(A) is [m, k], op(B) is
/// [k, n]. `bias` is [n] or null.
template <typename A, typename B, typename C>
void Gemm(Transpose transpose_a, Transpose transpose_b, int64_t m, int64_t n, int64_t k, const A* a, const B* b, C* c,
          const GemmSum<C>* bias = nullptr);

/// What computes products of floats here: "twofour", "oneDNN 2.6.3" or "Eigen 3.4.0".
std::string GemmName();

}  // namespace twofour::kernels
