#include "twofour/core/kernels/elements/reduce.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "twofour/core/ceil_div.h"
#include "twofour/core/kernels/elements/reduce_loops.h"
#include "twofour/core/kernels/elements/reduce_loops_f64.h"
#include "twofour/core/kernels/rows/column_sums.h"
#include "twofour/core/parallel.h"

namespace twofour::kernels {
namespace {

/// Adds up sum(begin, count) over blocks of fixed length that cover [0, n). Any thread may sum a block. Then the sums
/// of the blocks are added up in order.
template <typename F>
auto BlockedSum(int64_t n, F sum) {
  using R = decltype(sum(n, n));
  constexpr int64_t kBlock = 8 * 1024;
  const int64_t blocks = CeilDiv(n, kBlock);
  std::vector<R> sums(static_cast<size_t>(blocks));
  ParallelFor(blocks, kElementwiseGrain / kBlock, [&](int64_t first, int64_t last) {
    for (int64_t block = first; block < last; ++block) {
      sums[block] = sum(block * kBlock, std::min(kBlock, n - block * kBlock));
    }
  });
  R total = 0;
  for (const R block : sums) total += block;
  return total;
}

/// out[c] = the sum of column c of a matrix [rows, cols], as a number of type R.
template <typename T, typename R>
void RoundedColumnSums(int64_t rows, int64_t cols, const T* matrix, R* out) {
  SumColumnTiles(rows, cols, out, [=](int64_t row, int64_t tile_rows, int64_t col, int64_t tile_cols, double* sums) {
    loops::AddRowsTo(tile_rows, tile_cols, cols, matrix + row * cols + col, sums);
  });
}

}  // namespace

template <typename T>
double Sum(int64_t n, const T* x) {
  return BlockedSum(n, [=](int64_t at, int64_t count) { return loops::Sum(count, x + at); });
}

template <typename T>
double SumOfSquares(int64_t n, const T* x) {
  return BlockedSum(n, [=](int64_t at, int64_t count) { return loops::SumOfSquares(count, x + at); });
}

template <typename T>
double SumOfSquaredDifferences(int64_t n, const T* a, const T* b) {
  return BlockedSum(n,
                    [=](int64_t at, int64_t count) { return loops::SumOfSquaredDifferences(count, a + at, b + at); });
}

template <typename T>
int64_t CountNonZero(int64_t n, const T* x) {
  return BlockedSum(n, [=](int64_t at, int64_t count) { return loops::CountNonZero(count, x + at); });
}

template <typename T>
int64_t FindNonFinite(int64_t n, const T* x) {
  // The position is searched for only if there is one.
  const int64_t bad_blocks =
      BlockedSum(n, [=](int64_t at, int64_t count) { return int64_t{loops::AllFinite(count, x + at) ? 0 : 1}; });
  if (bad_blocks == 0) return -1;
  return std::find_if(x, x + n, [](T value) { return !std::isfinite(value); }) - x;
}

template <typename T>
void ColumnSums(int64_t rows, int64_t cols, const T* matrix, ComputeType<T>* out) {
  RoundedColumnSums(rows, cols, matrix, out);
}

template <typename T>
void SumAxis(int64_t outer, int64_t n, int64_t inner, double factor, const T* x, ComputeType<T>* out) {
  const auto sum_block = [=](int64_t o) {
    if (inner == 1) {
      out[o] = static_cast<ComputeType<T>>(factor * Sum(n, x + o * n));
      return;
    }
    std::vector<double> sums(static_cast<size_t>(inner));
    RoundedColumnSums(n, inner, x + o * n * inner, sums.data());
    for (int64_t i = 0; i < inner; ++i) out[o * inner + i] = static_cast<ComputeType<T>>(factor * sums[i]);
  };
  // Few blocks are worked on one after another, each on all threads, and many blocks each on one thread.
  constexpr int64_t kFew = 16;
  if (outer < kFew) {
    for (int64_t o = 0; o < outer; ++o) sum_block(o);
  } else {
    ParallelFor(outer, RowGrain(n * inner), [&](int64_t begin, int64_t end) {
      for (int64_t o = begin; o < end; ++o) sum_block(o);
    });
  }
}

#define TWOFOUR_INSTANTIATE(T)                                             \
  template double Sum<T>(int64_t, const T*);                               \
  template double SumOfSquares<T>(int64_t, const T*);                      \
  template double SumOfSquaredDifferences<T>(int64_t, const T*, const T*); \
  template int64_t CountNonZero<T>(int64_t, const T*);                     \
  template int64_t FindNonFinite<T>(int64_t, const T*);                    \
  template void ColumnSums<T>(int64_t, int64_t, const T*, T*);             \
  template void SumAxis<T>(int64_t, int64_t, int64_t, double, const T*, T*);
TWOFOUR_INSTANTIATE(float)
TWOFOUR_INSTANTIATE(double)
#undef TWOFOUR_INSTANTIATE
template double Sum<BFloat16>(int64_t, const BFloat16*);
template void ColumnSums<BFloat16>(int64_t, int64_t, const BFloat16*, float*);
template void SumAxis<BFloat16>(int64_t, int64_t, int64_t, double, const BFloat16*, float*);

}  // namespace twofour::kernels
