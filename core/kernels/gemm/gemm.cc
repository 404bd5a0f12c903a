#include "twofour/core/kernels/gemm/gemm.h"

#include <algorithm>
#include <string>
#include <type_traits>

#include "twofour/core/aligned_buffer.h"
#include "twofour/core/ceil_div.h"
#include "twofour/core/convert_element.h"
#include "twofour/core/half.h"
#include "twofour/core/kernels/elements/elementwise.h"
#include "twofour/core/kernels/gemm/bf16_gemm.h"
#include "twofour/core/kernels/gemm/convert_rows.h"
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
// Limits the buffer of floats beside a C of 16 bits, except that it always holds at least one block of columns.
constexpr int64_t kFloatsBesideC = 4 << 20;

template <typename T>
const T* At(const T* matrix, int64_t ld, Transpose transpose, int64_t row, int64_t col) {
  return transpose == Transpose::kNo ? matrix + row * ld + col : matrix + col * ld + row;
}

/// Lets the library multiply, block by block.
template <typename T>
void MultiplyBlocks(const GemmProblem<T>& p) {
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

/// For a C of 16 bits: sums up some columns at a time, with all their rows, in a buffer of floats, and then rounds
/// them.
template <typename A, typename B, typename C>
void MultiplyAndRound(const GemmProblem<A, B, C>& p) {
  // Whole blocks of columns, so that each sum is computed in the same block as in a product of floats.
  const int64_t width = std::max<int64_t>(1, kFloatsBesideC / p.m / kBlockCols) * kBlockCols;
  AlignedBuffer<float> sums(p.m * std::min(width, p.n));
  for (int64_t col = 0; col < p.n; col += width) {
    GemmProblem<A, B, float> part{.m = p.m,
                                  .n = std::min(width, p.n - col),
                                  .k = p.k,
                                  .a = p.a,
                                  .lda = p.lda,
                                  .transpose_a = p.transpose_a,
                                  .b = At(p.b, p.ldb, p.transpose_b, 0, col),
                                  .ldb = p.ldb,
                                  .transpose_b = p.transpose_b,
                                  .c = sums.data(),
                                  .accumulate = p.accumulate};
    part.ldc = part.n;
    part.bias = p.bias == nullptr ? nullptr : p.bias + col;
    if (p.accumulate) ConvertRows(p.m, part.n, p.c + col, p.ldc, part.c, part.ldc);
    Gemm(part);
    ConvertRows(p.m, part.n, part.c, part.ldc, p.c + col, p.ldc);
  }
}

/// A matrix as floats: the matrix itself if it holds floats, or else a converted copy.
template <typename T>
class AsFloats {
 public:
  AsFloats(int64_t rows, int64_t cols, const T* data, int64_t ld) : copy_(kIsFloat ? 0 : rows * cols) {
    if constexpr (kIsFloat) {
      data_ = data;
      ld_ = ld;
    } else {
      ConvertRows(rows, cols, data, ld, copy_.data(), cols);
      data_ = copy_.data();
      ld_ = cols;
    }
  }
  const float* data() const { return data_; }
  int64_t ld() const { return ld_; }

 private:
  static constexpr bool kIsFloat = std::is_same_v<T, float>;

  AlignedBuffer<float> copy_;
  const float* data_ = nullptr;
  int64_t ld_ = 0;
};

/// Widens operands of 16 bits, because the library takes only floats.
template <typename A, typename B>
void WidenAndMultiply(const GemmProblem<A, B, float>& p) {
  const bool a_turned = p.transpose_a == Transpose::kYes, b_turned = p.transpose_b == Transpose::kYes;
  const AsFloats<A> a(a_turned ? p.k : p.m, a_turned ? p.m : p.k, p.a, p.lda);
  const AsFloats<B> b(b_turned ? p.n : p.k, b_turned ? p.k : p.n, p.b, p.ldb);
  MultiplyBlocks(GemmProblem<float>{.m = p.m,
                                    .n = p.n,
                                    .k = p.k,
                                    .a = a.data(),
                                    .lda = a.ld(),
                                    .transpose_a = p.transpose_a,
                                    .b = b.data(),
                                    .ldb = b.ld(),
                                    .transpose_b = p.transpose_b,
                                    .c = p.c,
                                    .ldc = p.ldc,
                                    .accumulate = p.accumulate});
}

/// The same problem with operands of other types that look the same in memory.
template <typename ToA, typename ToB, typename A, typename B>
GemmProblem<ToA, ToB, float> WithOperands(const GemmProblem<A, B, float>& p) {
  return {.m = p.m,
          .n = p.n,
          .k = p.k,
          .a = reinterpret_cast<const ToA*>(p.a),
          .lda = p.lda,
          .transpose_a = p.transpose_a,
          .b = reinterpret_cast<const ToB*>(p.b),
          .ldb = p.ldb,
          .transpose_b = p.transpose_b,
          .c = p.c,
          .ldc = p.ldc,
          .accumulate = p.accumulate,
          .bias = p.bias};
}

template <typename A, typename B>
constexpr bool kHasBf16 = std::is_same_v<A, BFloat16> || std::is_same_v<B, BFloat16>;
template <typename A, typename B>
constexpr bool kHasF16 = std::is_same_v<A, Float16> || std::is_same_v<B, Float16>;

/// A product into floats, without the bias.
template <typename A, typename B>
void MultiplyFloats(const GemmProblem<A, B, float>& p) {
  if constexpr (std::is_same_v<A, float> && std::is_same_v<B, BFloat16>) {
    MultiplyFloats(WithOperands<FloatAsBf16, BFloat16>(p));
  } else if constexpr (std::is_same_v<A, BFloat16> && std::is_same_v<B, float>) {
    MultiplyFloats(WithOperands<BFloat16, FloatAsBf16>(p));
  } else {
    static const FloatGemmKernel* const own = FastFloatGemm();
    if (own != nullptr) return own->Multiply(p);
    WidenAndMultiply(p);
  }
}

template <typename C>
void AddBias(int64_t rows, int64_t cols, const C* bias, C* c, int64_t ldc) {
  if (bias == nullptr) return;
  if (ldc == cols) return AddRow(rows, cols, bias, c);
  ParallelFor(rows, RowGrain(cols), [=](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      for (int64_t col = 0; col < cols; ++col) c[row * ldc + col] += bias[col];
    }
  });
}

/// Of so few rows, products of bf16 are left to the kernel for floats, which reads a weight of floats only once.
constexpr int64_t kFewRows = 24;

/// Lets the processor multiply pairs or tiles of bf16, if it can and this is faster.
template <typename A, typename B, typename C>
bool MultipliedBf16(const GemmProblem<A, B, C>& p) {
  if constexpr (kHasBf16<A, B> && !kHasF16<A, B> && !std::is_same_v<C, Float16>) {
    const Bf16GemmKernel* const kernel = FastBf16Gemm();
    if (kernel == nullptr || p.m <= kFewRows || p.m * p.n * p.k < kernel->least_work) return false;
    if (std::is_same_v<C, BFloat16> && p.k > kernel->most_rounded_depth) return false;
    kernel->Multiply(p);
    return true;
  }
  return false;
}

}  // namespace

template <typename A, typename B, typename C>
void Gemm(const GemmProblem<A, B, C>& p) {
  if (p.m == 0 || p.n == 0) return;
  if (p.k > 0 && MultipliedBf16(p)) return;
  if constexpr (internal::kIsHalf<C>) {
    MultiplyAndRound(p);
  } else {
    if (p.k == 0) {  // A and B may be null, so nothing may be added to them.
      for (int64_t r = 0; r < p.m && !p.accumulate; ++r) std::fill_n(p.c + r * p.ldc, p.n, C{0});
    } else if constexpr (std::is_same_v<C, double>) {
      MultiplyBlocks(p);
    } else {
      MultiplyFloats(p);
    }
    AddBias(p.m, p.n, p.bias, p.c, p.ldc);
  }
}

template <typename A, typename B, typename C>
void Gemm(Transpose transpose_a, Transpose transpose_b, int64_t m, int64_t n, int64_t k, const A* a, const B* b, C* c,
          const GemmSum<C>* bias) {
  GemmProblem<A, B, C> problem;
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
  problem.bias = bias;
  Gemm(problem);
}

std::string GemmName() { return FastFloatGemm() != nullptr ? "twofour" : GemmLibraryName(); }

#define TWOFOUR_GEMM(A, B, C)                      \
  template void Gemm(const GemmProblem<A, B, C>&); \
  template void Gemm(Transpose, Transpose, int64_t, int64_t, int64_t, const A*, const B*, C*, const GemmSum<C>*);
#define TWOFOUR_GEMM_TO_ANY(A, B) TWOFOUR_GEMM(A, B, float) TWOFOUR_GEMM(A, B, BFloat16) TWOFOUR_GEMM(A, B, Float16)
#define TWOFOUR_GEMM_OF_ANY(A) \
  TWOFOUR_GEMM_TO_ANY(A, float) TWOFOUR_GEMM_TO_ANY(A, BFloat16) TWOFOUR_GEMM_TO_ANY(A, Float16)

TWOFOUR_GEMM(double, double, double)
TWOFOUR_GEMM_OF_ANY(float)
TWOFOUR_GEMM_OF_ANY(BFloat16)
TWOFOUR_GEMM_OF_ANY(Float16)

#undef TWOFOUR_GEMM
#undef TWOFOUR_GEMM_TO_ANY
#undef TWOFOUR_GEMM_OF_ANY

}  // namespace twofour::kernels
