#pragma once

#include <cstdint>

namespace twofour::kernels {

/// Where windows lie along one dimension of an image. Window `out` covers the pixels out * stride - padding + k *
/// dilation for k in [0, kernel); those outside [0, in) are padding.
struct WindowAxis {
  int64_t in = 0, out = 0;  ///< How many pixels and how many windows there are.
  int64_t kernel = 1, stride = 1, padding = 0, dilation = 1;

  /// The pixel under element k of a window; outside [0, in) for padding.
  int64_t Pixel(int64_t window, int64_t k) const { return window * stride - padding + k * dilation; }
  /// The window whose element k covers a pixel; -1 if there is none.
  int64_t Window(int64_t pixel, int64_t k) const {
    const int64_t first = pixel + padding - k * dilation;
    return first >= 0 && first % stride == 0 && first / stride < out ? first / stride : -1;
  }
  bool Holds(int64_t pixel) const { return pixel >= 0 && pixel < in; }
};

/// Windows over images [images, height.in, width.in, channels].
struct WindowGrid {
  int64_t images = 0, channels = 0;
  WindowAxis height, width;

  int64_t windows() const { return images * height.out * width.out; }
  int64_t pixels() const { return images * height.in * width.in; }
  /// Pixels under one window, and elements of all their channels.
  int64_t kernel() const { return height.kernel * width.kernel; }
  int64_t window_size() const { return kernel() * channels; }
};

/// Calls visit(image, row, column, index) for the places [begin, end) of a grid of rows and columns for each image.
template <typename Visit>
void ForEachPlace(int64_t begin, int64_t end, int64_t rows, int64_t cols, Visit visit) {
  for (int64_t at = begin; at < end; ++at) visit(at / cols / rows, at / cols % rows, at % cols, at);
}

}  // namespace twofour::kernels
