#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "twofour/core/dtype.h"
#include "twofour/core/kernels/windows/window_grid.h"
#include "twofour/core/parallel.h"

namespace twofour::kernels {

/// Writes to each element of `images` the sum of what the windows that cover it hold for it. add(window, k, sums) adds
/// to sums [channels] what a window holds for the pixel under its element k, counted row by row.
///
/// Sums are gathered pixel by pixel. So threads never write to the same element, and the order of the terms does not
/// depend on them. Elements of 16 bits add up in float and are rounded once.
template <typename T, typename Add>
void GatherWindows(const WindowGrid& grid, T* images, const Add& add) {
  using Sum = ComputeType<T>;
  const WindowAxis &height = grid.height, &width = grid.width;
  const int64_t channels = grid.channels;
  ParallelFor(grid.pixels(), RowGrain(grid.window_size()), [&](int64_t begin, int64_t end) {
    std::vector<Sum> sums(static_cast<size_t>(channels));
    ForEachPlace(begin, end, height.in, width.in, [&](int64_t image, int64_t row, int64_t column, int64_t pixel) {
      std::fill(sums.begin(), sums.end(), Sum{0});
      for (int64_t ki = 0; ki < height.kernel; ++ki) {
        const int64_t i = height.Window(row, ki);
        if (i < 0) continue;
        for (int64_t kj = 0; kj < width.kernel; ++kj) {
          const int64_t j = width.Window(column, kj);
          if (j >= 0) add((image * height.out + i) * width.out + j, ki * width.kernel + kj, sums.data());
        }
      }
      std::transform(sums.begin(), sums.end(), images + pixel * channels, [](Sum sum) { return static_cast<T>(sum); });
    });
  });
}

}  // namespace twofour::kernels
