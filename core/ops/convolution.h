#pragma once

#include <functional>
#include <string_view>

#include "twofour/core/ops/windows.h"
#include "twofour/core/tensor.h"

namespace twofour {
inline namespace ops {

/// A convolution of images x [batch, height, width, in_channels] with a weight [out_channels, kernel height * kernel
/// width * in_channels] (PyTorch's weight.permute(0, 2, 3, 1).flatten(1)) and a bias [out_channels] or undefined: the
/// result is [batch, windows down, windows across, out_channels]. It equals Linear(Unfold(x), weight, bias) up to
/// rounding in the weight's gradient. But it takes the images in parts, whose windows fit into a cache, and keeps the
/// images alone for the backward pass. Dtypes are those of Linear.
Tensor Conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, const WindowOptions& options);

/// How many rows each product of Conv2d's forward pass has, for images [batch, height, width, channels]: the windows of
/// one part. The last part may have fewer.
int64_t RowsOfConv2dProducts(const Shape& images, const WindowOptions& options);

/// The two products of a convolution with its weight, on some of the windows.
struct WindowProducts {
  std::function<Tensor(const Tensor& windows)> forward;  ///< [windows, columns] to [windows, out_channels].
  std::function<Tensor(const Tensor& dy)> input_grad;    ///< The other way round.
};

/// The convolution by these products, for ops whose weight has a form of its own. The gradient of `weight`, f32 or f64,
/// is that of Conv2d.
Tensor ConvolveBy(std::string_view op, const Tensor& x, const Tensor& weight, const Tensor& bias,
                  const WindowOptions& options, WindowProducts products);

}  // namespace ops
}  // namespace twofour
