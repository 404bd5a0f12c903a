#include "twofour/core/kernels/elements/swap_axes.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "twofour/core/ceil_div.h"
#include "twofour/core/parallel.h"

namespace twofour::kernels {
namespace {

/// Side of the tiles that are transposed at once. A tile of both arrays fits the first-level cache.
constexpr int64_t kTile = 32;

/// Transposes matrices [first, second] of single elements, one for each `outer` and `middle`.
template <typename Element>
void TransposeTiles(int64_t outer, int64_t first, int64_t middle, int64_t second, const Element* from, Element* to) {
  const int64_t bands = CeilDiv(first, kTile), from_stride = middle * second, to_stride = middle * first;
  ParallelFor(outer * middle * bands, RowGrain(std::min(first, kTile) * second), [=](int64_t begin, int64_t end) {
    for (int64_t item = begin; item < end; ++item) {
      const int64_t band = item % bands, k = item / bands % middle, o = item / bands / middle;
      const Element* const matrix = from + (o * first * middle + k) * second;
      Element* const transposed = to + (o * second * middle + k) * first;
      const int64_t row_begin = band * kTile, row_end = std::min(first, row_begin + kTile);
      for (int64_t col_begin = 0; col_begin < second; col_begin += kTile) {
        const int64_t col_end = std::min(second, col_begin + kTile);
        for (int64_t col = col_begin; col < col_end; ++col) {
          for (int64_t row = row_begin; row < row_end; ++row) {
            transposed[col * to_stride + row] = matrix[row * from_stride + col];
          }
        }
      }
    }
  });
}

/// Moves runs of `bytes` bytes.
void MoveRuns(int64_t bytes, int64_t outer, int64_t first, int64_t middle, int64_t second, const std::byte* from,
              std::byte* to) {
  ParallelFor(outer * second * middle, RowGrain(first * bytes / 4 + 1), [=](int64_t begin, int64_t end) {
    for (int64_t item = begin; item < end; ++item) {
      const int64_t k = item % middle, j = item / middle % second, o = item / middle / second;
      for (int64_t i = 0; i < first; ++i) {
        std::memcpy(to + (item * first + i) * bytes, from + (((o * first + i) * middle + k) * second + j) * bytes,
                    static_cast<size_t>(bytes));
      }
    }
  });
}

}  // namespace

void SwapAxes(int64_t element_bytes, int64_t outer, int64_t first, int64_t middle, int64_t second, int64_t inner,
              const std::byte* from, std::byte* to) {
  if (outer * first * middle * second * inner == 0) return;
  const auto tiles = [&](auto element) {
    using Element = decltype(element);
    TransposeTiles(outer, first, middle, second, reinterpret_cast<const Element*>(from),
                   reinterpret_cast<Element*>(to));
  };
  if (inner > 1) {
    MoveRuns(inner * element_bytes, outer, first, middle, second, from, to);
  } else if (element_bytes == 1) {
    tiles(uint8_t{});
  } else if (element_bytes == 2) {
    tiles(uint16_t{});
  } else if (element_bytes == 4) {
    tiles(uint32_t{});
  } else {
    assert(element_bytes == 8);
    tiles(uint64_t{});
  }
}

void CopyRuns(int64_t rows, int64_t bytes, const std::byte* from, int64_t from_stride, std::byte* to,
              int64_t to_stride) {
  if (bytes == 0) return;
  ParallelFor(rows, RowGrain(bytes / 4 + 1), [=](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      std::memcpy(to + row * to_stride, from + row * from_stride, static_cast<size_t>(bytes));
    }
  });
}

}  // namespace twofour::kernels
