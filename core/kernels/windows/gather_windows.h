#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "twofour/core/dtype.h"
#include "twofour/core/kernels/windows/window_grid.h"
#include "twofour/core/parallel.h"

namespace twofour::kernels {

/// Writes to each element of `images` the sum of what the windows that cover it hold for it. add(window, k, sums) adds
/// to sums [channels] what a window holds for the pixel under its element k, counted row by row.
///
/// Sums are gathered row by row of an image. So threads never write to the same element, and the order of the terms
/// does not depend on them. Elements of 16 bits add up in float and are rounded once.
template <typename T, typename Add>
void GatherWindows(const WindowGrid& grid, T* images, const Add& add) {
  using Sum = ComputeType<T>;
  const WindowAxis &height = grid.height, &width = grid.width;
  const int64_t row_size = width.in * grid.channels;
  const auto gather = [&](int64_t image, int64_t row, Sum* sums) {
    std::fill_n(sums, row_size, Sum{0});
    for (int64_t ki = 0; ki < height.kernel; ++ki) {
      const int64_t i = height.Window(row, ki);
      if (i < 0) continue;
      for (int64_t j = 0; j < width.out; ++j) {  // Outside the loop over kj, because of how windows lie in memory.
        for (int64_t kj = 0; kj < width.kernel; ++kj) {
          const int64_t column = width.Pixel(j, kj);
          if (!width.Holds(column)) continue;
          add((image * height.out + i) * width.out + j, ki * width.kernel + kj, sums + column * grid.channels);
        }
      }
    }
  };
  ParallelFor(grid.images * height.in, RowGrain(width.in * grid.window_size()), [&](int64_t begin, int64_t end) {
    std::vector<Sum> sums(std::is_same_v<T, Sum> ? 0 : row_size);
    for (int64_t at = begin; at < end; ++at) {
      T* const row = images + at * row_size;
      if constexpr (std::is_same_v<T, Sum>) {
        gather(at / height.in, at % height.in, row);
      } else {
        gather(at / height.in, at % height.in, sums.data());
        std::ranges::transform(sums, row, [](Sum sum) { return static_cast<T>(sum); });
      }
    }
  });
}

}  // namespace twofour::kernels
