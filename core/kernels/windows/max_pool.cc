#include "twofour/core/kernels/windows/max_pool.h"

#include <algorithm>
#include <limits>

#include "twofour/core/kernels/windows/gather_windows.h"
#include "twofour/core/parallel.h"

namespace twofour::kernels {

namespace {

/// Lets the elements of `pixel`, which is element k of a window, take the place of smaller ones. Without branches, so
/// that compilers make vectors of it.
template <typename T>
void TakeLarger(int64_t channels, const T* pixel, int32_t k, T* best, int32_t* at) {
  using Value = ComputeType<T>;
  for (int64_t c = 0; c < channels; ++c) {
    const auto value = static_cast<Value>(pixel[c]), old = static_cast<Value>(best[c]);
    const bool is_larger = (value > old) | ((value != value) & (old == old));
    best[c] = is_larger ? pixel[c] : best[c];
    at[c] = is_larger ? k : at[c];
  }
}

}  // namespace

template <typename T>
void MaxPool(const WindowGrid& grid, const T* images, T* largest, int32_t* place) {
  const WindowAxis &height = grid.height, &width = grid.width;
  const int64_t channels = grid.channels;
  ParallelFor(grid.windows(), RowGrain(grid.window_size()), [&](int64_t begin, int64_t end) {
    ForEachPlace(begin, end, height.out, width.out, [&](int64_t image, int64_t i, int64_t j, int64_t window) {
      T* const best = largest + window * channels;
      int32_t* const at = place + window * channels;
      bool is_first = true;
      for (int64_t ki = 0; ki < height.kernel; ++ki) {
        const int64_t row = height.Pixel(i, ki);
        if (!height.Holds(row)) continue;
        for (int64_t kj = 0; kj < width.kernel; ++kj) {
          const int64_t column = width.Pixel(j, kj);
          if (!width.Holds(column)) continue;
          const T* const pixel = images + ((image * height.in + row) * width.in + column) * channels;
          const auto k = static_cast<int32_t>(ki * width.kernel + kj);
          if (is_first) {
            std::copy_n(pixel, channels, best);
            std::fill_n(at, channels, k);
          } else {
            TakeLarger(channels, pixel, k, best, at);
          }
          is_first = false;
        }
      }
      if (is_first) {
        std::fill_n(best, channels, static_cast<T>(-std::numeric_limits<float>::infinity()));
        std::fill_n(at, channels, -1);
      }
    });
  });
}

template <typename T>
void MaxPoolGrad(const WindowGrid& grid, const int32_t* place, const T* grad, T* images_grad) {
  GatherWindows(grid, images_grad, [&](int64_t window, int64_t k, ComputeType<T>* sums) {
    const int32_t* const largest = place + window * grid.channels;
    const auto element = static_cast<int32_t>(k);  // Of the same size as what it is compared with.
    const T* const terms = grad + window * grid.channels;
    for (int64_t c = 0; c < grid.channels; ++c) {  // Without branches, as above. A sum is never -0.
      const auto term = static_cast<ComputeType<T>>(terms[c]);
      sums[c] += largest[c] == element ? term : ComputeType<T>{0};
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
