#include "twofour/nn/conv2d.h"

#include <fmt/format.h>

#include "twofour/core/error.h"
#include "twofour/core/ops/check.h"
#include "twofour/core/ops/convolution.h"
#include "twofour/nn/density.h"
#include "twofour/nn/forward_observer.h"
#include "twofour/nn/linear.h"
#include "twofour/nn/semi_sparse_linear.h"
#include "twofour/sparse/ops.h"

namespace twofour::nn {
namespace {

void CheckSize(const Size2d& size, int64_t least, const std::string& path, Faults& faults) {
  faults.InRange(path + ".height", size.height, least, kMaxFeatures);
  faults.InRange(path + ".width", size.width, least, kMaxFeatures);
}

/// Columns of the weight.
int64_t Columns(const Conv2dOptions& options) {
  const Size2d& kernel = options.windows.kernel_size;
  return kernel.height * kernel.width * options.in_channels;
}

/// What the windows of a convolution cover, which an op on images never holds at once.
class WindowsInput final : public LinearInput {
 public:
  WindowsInput(const Tensor& x, const WindowOptions& windows) : x_(x.Detach()), windows_(windows) {}

  Tensor Values() const override { return Unfold(x_, windows_).To(DType::kF32); }
  double Density() const override { return NonZeroShare(Unfold(x_, windows_)); }

 private:
  Tensor x_;
  WindowOptions windows_;
};

}  // namespace

void Check(const Conv2dOptions& options, const FieldPath& at, Faults& faults) {
  const FieldPath windows = at.In("windows");
  CheckSize(options.windows.kernel_size, 1, windows("kernel_size"), faults);
  CheckSize(options.windows.stride, 1, windows("stride"), faults);
  CheckSize(options.windows.padding, 0, windows("padding"), faults);
  CheckSize(options.windows.dilation, 1, windows("dilation"), faults);
  faults.InRange(at("in_channels"), options.in_channels, 1, kMaxFeatures);
  faults.InRange(at("out_channels"), options.out_channels, 1, kMaxFeatures);
  if (!faults.IsSound(windows("kernel_size")) || !faults.IsSound(at("in_channels"))) return;
  const Size2d& kernel = options.windows.kernel_size;
  const int64_t most = kMaxFeatures / (kernel.height * kernel.width);
  faults.Expect(options.in_channels <= most, at("in_channels"), options.in_channels,
                fmt::format("at most {} beside a kernel_size of {} x {}", most, kernel.height, kernel.width));
}

Conv2d::Conv2d(const Conv2dOptions& options, Generator& generator)
    : in_channels_(Checked(options, "Conv2d: ").in_channels),
      windows_(options.windows),
      linear_(&RegisterModule("linear", std::make_unique<Linear>(LinearOptions{.in_features = Columns(options),
                                                                               .out_features = options.out_channels,
                                                                               .bias = options.bias,
                                                                               .init = options.init},
                                                                 generator))) {}

Tensor Conv2d::Forward(const Tensor& x) {
  ops::RequireFloating("Conv2d", "x", x);
  if (x.rank() != 4 || x.dim(3) != in_channels_) {
    throw Error(
        fmt::format("Conv2d: x has shape {}, expected [batch, height, width, {}]", ToString(x.shape()), in_channels_));
  }
  Module& linear = **linear_;
  auto* const dense = dynamic_cast<Linear*>(&linear);
  auto* const sparse = dynamic_cast<SemiSparseLinear*>(&linear);
  if (dense == nullptr && sparse == nullptr) return linear.Forward(Unfold(x, windows_));
  const sparse::MaskedLinearOperand layer =
      dense != nullptr ? sparse::MaskedLinearOperand{dense->weight(), dense->bias(), nullptr} : sparse->Layer();
  Tensor y = layer.packed == nullptr ? ops::Conv2d(x, layer.weight, layer.bias, windows_)
                                     : sparse::MaskedConv2d(x, layer.weight, layer.bias, layer.packed, windows_);
  if (IsForwardObserved()) ObserveLinear(linear, WindowsInput(x, windows_));
  return y;
}

}  // namespace twofour::nn
