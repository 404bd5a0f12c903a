#pragma once

#include <cstdint>

#include "twofour/core/faults.h"
#include "twofour/core/ops/convolution.h"
#include "twofour/core/ops/windows.h"
#include "twofour/core/random.h"
#include "twofour/core/shape.h"
#include "twofour/nn/init.h"
#include "twofour/nn/module.h"

namespace twofour::nn {

struct Conv2dOptions {
  int64_t in_channels = 0;
  int64_t out_channels = 0;
  WindowOptions windows = {};
  bool bias = true;
  LinearInit init = LinearInit::PyTorchDefault();
};

/// Rules: channels and the sizes of the windows are positive, the padding is not negative, and the weight has at most
/// kMaxFeatures columns.
void Check(const Conv2dOptions& options, const FieldPath& at, Faults& faults);

/// A convolution of images [batch, height, width, in_channels]: the result is [batch, windows down, windows across,
/// out_channels] (see WindowOptions). It is a linear on what each window covers (see Unfold), and holds one, `linear`,
/// whose weight is [out_channels, kernel height * kernel width * in_channels], PyTorch's
/// weight.permute(0, 2, 3, 1).flatten(1). So SwapLinearWithSemiSparseLinear makes convolutions 2:4 sparse as it does
/// linears, with groups of four neighbouring channels where in_channels is a multiple of 4 (Mishra et al.,
/// "Accelerating Sparse Deep Neural Networks", 2021).
///
/// Memory: a linear and a semi-sparse linear take the images in parts (see ops::Conv2d). Any other module in the place
/// of `linear` gets what all windows cover, which for a kernel of 3 x 3 and a stride of 1 is nine times the input.
class Conv2d : public Module {
 public:
  /// Throws Error on options that Check finds fault with.
  Conv2d(const Conv2dOptions& options, Generator& generator);
  std::string_view type_name() const override { return "Conv2d"; }
  Tensor Forward(const Tensor& x) override;
  /// See RowsOfConv2dProducts.
  int64_t RowsOfProducts(const Shape& images) const { return RowsOfConv2dProducts(images, windows_); }

 private:
  int64_t in_channels_;
  WindowOptions windows_;
  ModuleSlot* linear_;
};

/// MaxPool2d as a module.
class MaxPool2d : public Module {
 public:
  explicit MaxPool2d(const WindowOptions& windows) : windows_(windows) {}
  std::string_view type_name() const override { return "MaxPool2d"; }
  Tensor Forward(const Tensor& x) override { return ops::MaxPool2d(x, windows_); }

 private:
  WindowOptions windows_;
};

}  // namespace twofour::nn
