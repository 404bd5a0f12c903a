#pragma once

#include <cstdint>

#include "twofour/core/tensor.h"

namespace twofour {

/// A size along the two dimensions of an image. A single number counts for both.
struct Size2d {
  constexpr Size2d(int64_t both) : height(both), width(both) {}  // NOLINT: meant to convert.
  constexpr Size2d(int64_t down, int64_t across) : height(down), width(across) {}
  bool operator==(const Size2d&) const = default;

  int64_t height, width;
};

/// Windows that slide over an image, with PyTorch's names. There are floor((size + 2 padding - dilation (kernel_size -
/// 1) - 1) / stride) + 1 along each dimension.
struct WindowOptions {
  Size2d kernel_size = 1;
  Size2d stride = 1;
  Size2d padding = 0;   ///< Pixels around the image.
  Size2d dilation = 1;  ///< The distance of two pixels of a window: 1 leaves nothing out.
};

inline namespace ops {

// Images are [batch, height, width, channels], so that the channels of a pixel lie together (PyTorch's channels_last;
// its default is [batch, channels, height, width]). The ops throw Error for options that are out of range, and for an
// image that is smaller, with its padding, than a window.

/// What each window covers: [batch, windows down, windows across, kernel height * kernel width * channels], where the
/// channels of one pixel lie together. Padding is zero. With it a convolution is a product: Linear(Unfold(x), weight)
/// for a weight [out_channels, kernel height * kernel width * channels]. Of any dtype.
Tensor Unfold(const Tensor& x, const WindowOptions& options);

/// The largest element of each channel under each window: [batch, windows down, windows across, channels]. Padding,
/// which is half a window at most, never counts; with a dilation, a window may hold nothing else, and gives -infinity.
/// A NaN counts as the largest. The whole gradient goes to the largest element, of equal ones to the first.
Tensor MaxPool2d(const Tensor& x, const WindowOptions& options);

}  // namespace ops
}  // namespace twofour
