#include "twofour/core/kernels/gemm/symmetric_product.h"

#include <algorithm>

#include "twofour/core/parallel.h"

namespace twofour::kernels {
namespace {

// Half of each diagonal block is computed in vain, but with fewer rows Gemm itself becomes slower.
constexpr int64_t kBlockRows = 128;

/// Copies rows [begin, end) of the upper triangle to the lower one.
void Mirror(int64_t n, int64_t begin, int64_t end, float* c) {
  ParallelFor(n - begin, kElementwiseGrain / kBlockRows, [&](int64_t first, int64_t last) {
    for (int64_t col = begin + first; col < begin + last; ++col) {
      for (int64_t row = begin; row < std::min(end, col); ++row) c[col * n + row] = c[row * n + col];
    }
  });
}

}  // namespace

void SymmetricProduct(Transpose transpose_a, int64_t n, int64_t k, const float* a, float* c) {
  if (k == 0) {  // A may be null, so nothing may be added to it.
    std::fill_n(c, n * n, 0.0f);
    return;
  }
  const bool transposed = transpose_a == Transpose::kYes;
  for (int64_t begin = 0; begin < n; begin += kBlockRows) {
    const int64_t end = std::min(begin + kBlockRows, n);
    GemmProblem<float> rows;
    rows.m = end - begin;
    rows.n = n - begin;
    rows.k = k;
    rows.a = rows.b = transposed ? a + begin : a + begin * k;
    rows.lda = rows.ldb = transposed ? n : k;
    rows.transpose_a = transpose_a;
    rows.transpose_b = transposed ? Transpose::kNo : Transpose::kYes;
    rows.c = c + begin * n + begin;
    rows.ldc = n;
    Gemm(rows);
    Mirror(n, begin, end, c);
  }
}

}  // namespace twofour::kernels
