#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <numeric>
#include <vector>

#include "twofour/core/ceil_div.h"
#include "twofour/core/parallel.h"
#include "twofour/core/shape.h"

namespace twofour::kernels {

/// How two arrays are stretched to the shape of an elementwise result. The result is contiguous. The strides say, in
/// elements, how far an operand moves from one index of a dimension to the next: 0 where it is stretched. The last
/// dimension has strides of 0 or 1. `sizes` has at least one dimension.
struct Broadcast {
  std::vector<int64_t> sizes, a_strides, b_strides;
};

/// How contiguous operands of these shapes are stretched to `result`, in as few dimensions as possible. Shapes are
/// aligned at their last dimensions; a size must be that of the result, or 1.
Broadcast PlanBroadcast(const Shape& result, const Shape& a, const Shape& b);

/// Elements of a result that are computed at once, so that stretched operands fit the first-level cache.
inline constexpr int64_t kBroadcastPiece = 1024;

/// Calls loop(n, a, b, out) on pieces of contiguous elements that cover the result, on all threads. A single element
/// that is stretched along a piece is copied to all of it. `out` must not overlap `a` or `b`.
template <typename T, typename Loop>
void ForBroadcastPieces(const Broadcast& plan, const T* a, const T* b, T* out, const Loop& loop) {
  const size_t last = plan.sizes.size() - 1;
  const int64_t inner = plan.sizes[last], length = std::min(inner, kBroadcastPiece);
  const int64_t pieces = CeilDiv(inner, kBroadcastPiece);
  const int64_t rows = std::accumulate(plan.sizes.begin(), plan.sizes.end() - 1, int64_t{1}, std::multiplies<>());
  const auto offset = [&](int64_t row, const std::vector<int64_t>& strides) {
    int64_t sum = 0;
    for (size_t axis = last; axis-- > 0; row /= plan.sizes[axis]) sum += row % plan.sizes[axis] * strides[axis];
    return sum;
  };
  ParallelFor(rows * pieces, RowGrain(length), [&](int64_t begin, int64_t end) {
    std::array<T, kBroadcastPiece> stretched_a, stretched_b;
    for (int64_t piece = begin; piece < end; ++piece) {
      const int64_t row = piece / pieces, at = piece % pieces * kBroadcastPiece;
      const int64_t n = std::min(kBroadcastPiece, inner - at);
      const auto operand = [&](const T* from, const std::vector<int64_t>& strides,
                               std::array<T, kBroadcastPiece>& all) {
        from += offset(row, strides);
        if (strides[last] != 0) return from + at;
        std::fill_n(all.begin(), n, *from);
        return static_cast<const T*>(all.data());
      };
      loop(n, operand(a, plan.a_strides, stretched_a), operand(b, plan.b_strides, stretched_b), out + row * inner + at);
    }
  });
}

}  // namespace twofour::kernels
