#include "twofour/core/kernels/gemm/gemm.h"

#include <algorithm>
#include <string>
#include <type_traits>

#include "twofour/core/ceil_div.h"
#include "twofour/core/kernels/gemm/float_gemm.h"
#include "twofour/core/kernels/gemm/gemm_block.h"
#include "twofour/core/parallel.h"

namespace twofour::kernels {
namespace {

// Blocks of C are so big that the library's packing of A and B is a small share of the work (about 1/rows + 1/cols of
// it), and so small that two to sixteen threads find equal shares in the products of an MLP layer.
constexpr int64_t kBlockRows = 256;
constexpr int64_t kBlockCols = 512;
// Products below this many multiply-adds stay on one thread.
constexpr int64_t kSerialWork = 64 * 64 * 64;

template <typename T>
const T* At(const T* matrix, int64_t ld, Transpose transpose, int64_t row, int64_t col) {
  return transpose == Transpose::kNo ? matrix + row * ld + col : matrix + col * ld + row;
}

}  // namespace

template <typename T>
void Gemm(const GemmProblem<T>& p) {
  if (p.m == 0 || p.n == 0) return;
  if (p.k == 0) {  // A and B may be null, so nothing may be added to them.
    for (int64_t r = 0; r < p.m && !p.accumulate; ++r) std::fill_n(p.c + r * p.ldc, p.n, T{0});
    return;
  }
  if constexpr (std::is_same_v<T, float>) {
    static const FloatGemmKernel* const own = FastFloatGemm();
    if (own != nullptr) return own->multiply(p);
  }
  const int64_t row_blocks = CeilDiv(p.m, kBlockRows), col_blocks = CeilDiv(p.n, kBlockCols);
  const int64_t grain = p.m * p.n * p.k <= kSerialWork ? row_blocks * col_blocks : 1;
  ParallelFor(row_blocks * col_blocks, grain, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      const int64_t row = block / col_blocks * kBlockRows, col = block % col_blocks * kBlockCols;
      GemmProblem<T> part = p;
      part.m = std::min(kBlockRows, p.m - row);
      part.n = std::min(kBlockCols, p.n - col);
      part.a = At(p.a, p.lda, p.transpose_a, row, 0);
      part.b = At(p.b, p.ldb, p.transpose_b, 0, col);
      part.c = p.c + row * p.ldc + col;
      GemmBlock(part);
    }
  });
}

template <typename T>
void Gemm(Transpose transpose_a, Transpose transpose_b, int64_t m, int64_t n, int64_t k, const T* a, const T* b, T* c) {
  GemmProblem<T> problem;
  problem.m = m;
  problem.n = n;
  problem.k = k;
  problem.a = a;
  problem.lda = transpose_a == Transpose::kNo ? k : m;
  problem.transpose_a = transpose_a;
  problem.b = b;
  problem.ldb = transpose_b == Transpose::kNo ? n : k;
  problem.transpose_b = transpose_b;
  problem.c = c;
  problem.ldc = n;
  Gemm(problem);
}

std::string GemmName() { return FastFloatGemm() != nullptr ? "twofour" : GemmLibraryName(); }

template void Gemm(const GemmProblem<float>&);
template void Gemm(const GemmProblem<double>&);
template void Gemm(Transpose, Transpose, int64_t, int64_t, int64_t, const float*, const float*, float*);
template void Gemm(Transpose, Transpose, int64_t, int64_t, int64_t, const double*, const double*, double*);

}  // namespace twofour::kernels
