#include "twofour/core/kernels/reduce.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "twofour/core/parallel.h"

namespace twofour::kernels {
namespace {

/// Sums term(i) over [0, n): each block of fixed length by one thread, then the blocks' sums in
/// order.
template <typename R, typename F>
R BlockedSum(int64_t n, F term) {
  constexpr int64_t kBlock = 8 * 1024;
  const int64_t blocks = (n + kBlock - 1) / kBlock;
  std::vector<R> sums(static_cast<size_t>(blocks));
  ParallelFor(blocks, kElementwiseGrain / kBlock, [&](int64_t first, int64_t last) {
    for (int64_t block = first; block < last; ++block) {
      const int64_t end = std::min(n, (block + 1) * kBlock);
      R sum = 0;
      for (int64_t i = block * kBlock; i < end; ++i) sum += term(i);
      sums[block] = sum;
    }
  });
  R total = 0;
  for (const R sum : sums) total += sum;
  return total;
}

}  // namespace

template <typename T>
double Sum(int64_t n, const T* x) {
  return BlockedSum<double>(n, [=](int64_t i) { return static_cast<double>(x[i]); });
}

template <typename T>
double SumOfSquares(int64_t n, const T* x) {
  return BlockedSum<double>(n, [=](int64_t i) { return static_cast<double>(x[i]) * static_cast<double>(x[i]); });
}

template <typename T>
double SumOfSquaredDifferences(int64_t n, const T* a, const T* b) {
  return BlockedSum<double>(n, [=](int64_t i) {
    const double difference = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    return difference * difference;
  });
}

template <typename T>
int64_t CountNonZero(int64_t n, const T* x) {
  return BlockedSum<int64_t>(n, [=](int64_t i) { return static_cast<int64_t>(x[i] != T{0}); });
}

template <typename T>
int64_t FindNonFinite(int64_t n, const T* x) {
  // x - x is 0 for a finite x and NaN otherwise; a sum of them is cheap, and the position matters only when it fails.
  const int64_t bad = BlockedSum<int64_t>(n, [=](int64_t i) { return static_cast<int64_t>(x[i] - x[i] != T{0}); });
  if (bad == 0) return -1;
  return std::find_if(x, x + n, [](T value) { return !std::isfinite(value); }) - x;
}

template <typename T>
void ColumnSums(int64_t rows, int64_t cols, const T* matrix, T* out) {
  // Each thread owns a strip of columns and walks it row by row, so that reads stay contiguous.
  constexpr int64_t kStrip = 256;
  const int64_t strips = (cols + kStrip - 1) / kStrip;
  ParallelFor(strips, RowGrain(rows * kStrip), [=](int64_t first, int64_t last) {
    std::vector<double> sums(kStrip);
    for (int64_t strip = first; strip < last; ++strip) {
      const int64_t begin = strip * kStrip, width = std::min(kStrip, cols - begin);
      std::fill(sums.begin(), sums.end(), 0.0);
      for (int64_t r = 0; r < rows; ++r) {
        const T* row = matrix + r * cols + begin;
        for (int64_t c = 0; c < width; ++c) sums[c] += static_cast<double>(row[c]);
      }
      for (int64_t c = 0; c < width; ++c) out[begin + c] = static_cast<T>(sums[c]);
    }
  });
}

#define TWOFOUR_INSTANTIATE(T)                                             \
  template double Sum<T>(int64_t, const T*);                               \
  template double SumOfSquares<T>(int64_t, const T*);                      \
  template double SumOfSquaredDifferences<T>(int64_t, const T*, const T*); \
  template int64_t CountNonZero<T>(int64_t, const T*);                     \
  template int64_t FindNonFinite<T>(int64_t, const T*);                    \
  template void ColumnSums<T>(int64_t, int64_t, const T*, T*);
TWOFOUR_INSTANTIATE(float)
TWOFOUR_INSTANTIATE(double)
#undef TWOFOUR_INSTANTIATE

}  // namespace twofour::kernels
