#include "twofour/core/kernels/gemm/symmetric_product.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "twofour/core/parallel.h"

namespace twofour::kernels {
namespace {

// Half of each diagonal block is computed in vain, but with fewer rows Gemm itself becomes slower.
constexpr int64_t kBlockRows = 128;
// Columns of a block of doubles. One thread computes it, so there should be some for each.
constexpr int64_t kBlockCols = 512;

/// Copies rows [begin, end) of the upper triangle to the lower one.
template <typename T>
void Mirror(int64_t n, int64_t begin, int64_t end, T* c) {
  ParallelFor(n - begin, kElementwiseGrain / kBlockRows, [&](int64_t first, int64_t last) {
    for (int64_t col = begin + first; col < begin + last; ++col) {
      for (int64_t row = begin; row < std::min(end, col); ++row) c[col * n + row] = c[row * n + col];
    }
  });
}

/// The product for up to kBlockRows rows from `row` on and columns [col, end) of C.
template <typename T>
GemmProblem<T> BlockOf(Transpose transpose_a, int64_t n, int64_t k, const T* a, T* c, int64_t row, int64_t col,
                       int64_t end) {
  const bool transposed = transpose_a == Transpose::kYes;
  GemmProblem<T> block;
  block.m = std::min(kBlockRows, n - row);
  block.n = end - col;
  block.k = k;
  block.a = transposed ? a + row : a + row * k;
  block.b = transposed ? a + col : a + col * k;
  block.lda = block.ldb = transposed ? n : k;
  block.transpose_a = transpose_a;
  block.transpose_b = transposed ? Transpose::kNo : Transpose::kYes;
  block.c = c + row * n + col;
  block.ldc = n;
  return block;
}

}  // namespace

void SymmetricProduct(Transpose transpose_a, int64_t n, int64_t k, const float* a, float* c) {
  if (k == 0) {  // A may be null, so nothing may be added to it.
    std::fill_n(c, n * n, 0.0f);
    return;
  }
  for (int64_t begin = 0; begin < n; begin += kBlockRows) {
    Gemm(BlockOf(transpose_a, n, k, a, c, begin, begin, n));
    Mirror(n, begin, std::min(begin + kBlockRows, n), c);
  }
}

void AddSymmetricProduct(Transpose transpose_a, int64_t n, int64_t k, const double* a, double* c) {
  struct Place {
    int64_t row, col;
  };
  std::vector<Place> places;
  for (int64_t row = 0; row < n; row += kBlockRows) {
    for (int64_t col = row; col < n; col += kBlockCols) places.push_back({row, col});
  }
  ParallelFor(std::ssize(places), 1, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      const auto [row, col] = places[static_cast<size_t>(i)];
      GemmProblem<double> block = BlockOf(transpose_a, n, k, a, c, row, col, std::min(col + kBlockCols, n));
      block.accumulate = true;
      Gemm(block);
    }
  });
  for (int64_t row = 0; row < n; row += kBlockRows) Mirror(n, row, std::min(row + kBlockRows, n), c);
}

}  // namespace twofour::kernels
