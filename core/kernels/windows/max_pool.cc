#include "twofour/core/kernels/windows/max_pool.h"

#include <algorithm>
#include <limits>

#include "twofour/core/kernels/windows/gather_windows.h"
#include "twofour/core/parallel.h"

namespace twofour::kernels {

template <typename T>
void MaxPool(const WindowGrid& grid, const T* images, T* largest, int32_t* place) {
  using Value = ComputeType<T>;
  const WindowAxis &height = grid.height, &width = grid.width;
  const int64_t channels = grid.channels;
  ParallelFor(grid.windows(), RowGrain(grid.window_size()), [&](int64_t begin, int64_t end) {
    ForEachPlace(begin, end, height.out, width.out, [&](int64_t image, int64_t i, int64_t j, int64_t window) {
      T* const best = largest + window * channels;
      int32_t* const at = place + window * channels;
      std::fill_n(best, channels, static_cast<T>(-std::numeric_limits<float>::infinity()));
      std::fill_n(at, channels, -1);
      for (int64_t ki = 0; ki < height.kernel; ++ki) {
        const int64_t row = height.Pixel(i, ki);
        if (!height.Holds(row)) continue;
        for (int64_t kj = 0; kj < width.kernel; ++kj) {
          const int64_t column = width.Pixel(j, kj);
          if (!width.Holds(column)) continue;
          const T* const pixel = images + ((image * height.in + row) * width.in + column) * channels;
          const auto k = static_cast<int32_t>(ki * width.kernel + kj);
          for (int64_t c = 0; c < channels; ++c) {
            const auto value = static_cast<Value>(pixel[c]), old = static_cast<Value>(best[c]);
            if (at[c] < 0 || value > old || (value != value && old == old)) {
              best[c] = pixel[c];
              at[c] = k;
            }
          }
        }
      }
    });
  });
}

template <typename T>
void MaxPoolGrad(const WindowGrid& grid, const int32_t* place, const T* grad, T* images_grad) {
  GatherWindows(grid, images_grad, [&](int64_t window, int64_t k, ComputeType<T>* sums) {
    const int32_t* const largest = place + window * grid.channels;
    const T* const terms = grad + window * grid.channels;
    for (int64_t c = 0; c < grid.channels; ++c) {
      if (largest[c] == k) sums[c] += static_cast<ComputeType<T>>(terms[c]);
    }
  });
}

#define TWOFOUR_INSTANTIATE(T)                                         \
  template void MaxPool<T>(const WindowGrid&, const T*, T*, int32_t*); \
  template void MaxPoolGrad<T>(const WindowGrid&, const int32_t*, const T*, T*);
TWOFOUR_INSTANTIATE(float)
TWOFOUR_INSTANTIATE(double)
TWOFOUR_INSTANTIATE(Float16)
TWOFOUR_INSTANTIATE(BFloat16)
#undef TWOFOUR_INSTANTIATE

}  // namespace twofour::kernels
