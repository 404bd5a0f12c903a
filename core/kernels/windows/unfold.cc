#include "twofour/core/kernels/windows/unfold.h"

#include <cstring>

#include "twofour/core/kernels/windows/gather_windows.h"
#include "twofour/core/parallel.h"

namespace twofour::kernels {

void Unfold(const WindowGrid& grid, int64_t element_bytes, const std::byte* images, std::byte* windows) {
  const WindowAxis &height = grid.height, &width = grid.width;
  const int64_t pixel_bytes = grid.channels * element_bytes, row_bytes = width.kernel * pixel_bytes;
  ParallelFor(grid.windows(), RowGrain(grid.window_size()), [&](int64_t begin, int64_t end) {
    ForEachPlace(begin, end, height.out, width.out, [&](int64_t image, int64_t i, int64_t j, int64_t window) {
      std::byte* to = windows + window * height.kernel * row_bytes;
      const int64_t left = width.Pixel(j, 0), right = width.Pixel(j, width.kernel - 1);
      const bool row_is_whole = width.dilation == 1 && left >= 0 && right < width.in;
      for (int64_t ki = 0; ki < height.kernel; ++ki, to += row_bytes) {
        const int64_t row = height.Pixel(i, ki);
        if (!height.Holds(row)) {
          std::memset(to, 0, static_cast<size_t>(row_bytes));
          continue;
        }
        const std::byte* const from = images + (image * height.in + row) * width.in * pixel_bytes;
        if (row_is_whole) {
          std::memcpy(to, from + left * pixel_bytes, static_cast<size_t>(row_bytes));
          continue;
        }
        for (int64_t kj = 0; kj < width.kernel; ++kj) {
          const int64_t column = width.Pixel(j, kj);
          std::byte* const pixel = to + kj * pixel_bytes;
          if (width.Holds(column)) {
            std::memcpy(pixel, from + column * pixel_bytes, static_cast<size_t>(pixel_bytes));
          } else {
            std::memset(pixel, 0, static_cast<size_t>(pixel_bytes));
          }
        }
      }
    });
  });
}

template <typename T>
void Fold(const WindowGrid& grid, const T* windows, T* images) {
  GatherWindows(grid, images, [&](int64_t window, int64_t k, ComputeType<T>* sums) {
    const T* const terms = windows + window * grid.window_size() + k * grid.channels;
    for (int64_t c = 0; c < grid.channels; ++c) sums[c] += static_cast<ComputeType<T>>(terms[c]);
  });
}

template void Fold<float>(const WindowGrid&, const float*, float*);
template void Fold<double>(const WindowGrid&, const double*, double*);
template void Fold<Float16>(const WindowGrid&, const Float16*, Float16*);
template void Fold<BFloat16>(const WindowGrid&, const BFloat16*, BFloat16*);

}  // namespace twofour::kernels
