#pragma once

#include <string>
#include <vector>

#include "twofour/core/faults.h"
#include "twofour/core/ops/windows.h"
#include "twofour/core/random.h"
#include "twofour/nn/activation.h"
#include "twofour/nn/model.h"

namespace twofour::nn {

/// The size of an image that is stored row by row, with the channels of a pixel together.
struct ImageSize {
  int64_t height = 0, width = 0, channels = 1;
  bool operator==(const ImageSize&) const = default;
};

/// Rules: every size is positive, and an image has at most kMaxFeatures numbers.
void Check(const ImageSize& size, const FieldPath& at, Faults& faults);

/// A convolution, an activation and, where `pool` is above 1, a MaxPool2d of pool x pool windows side by side.
struct ConvLayerOptions {
  int64_t out_channels = 0;
  int64_t kernel_size = 3;
  int64_t stride = 1;
  /// At most kernel_size - 1. -1: kernel_size / 2, which keeps the size where the stride is 1 and the kernel odd.
  int64_t padding = -1;
  int64_t pool = 1;  ///< Rows and columns that no window of the pool covers are left out.
};

/// Rules: sizes are positive, except for the padding, which is below the kernel's size, so that no window holds nothing
/// else.
void Check(const ConvLayerOptions& options, const FieldPath& at, Faults& faults);

struct ConvNetOptions {
  ImageSize image = {};
  std::vector<ConvLayerOptions> convolutions = {};  ///< At least one.
  std::vector<int64_t> hidden_features = {};        ///< Of the linears between the convolutions and the head.
  int64_t out_features = 0;
  bool bias = true;
  Activation activation = Activation::kReluSquared;
  double dropout = 0.0;  ///< Before each linear, the head included.
};

/// Rules: those of each convolution; there are 1 to 1000 convolutions and at most 1000 hidden layers; hidden sizes are
/// positive, dropout is below 1, and the activation needs no gate.
void Check(const ConvNetOptions& options, const FieldPath& at, Faults& faults);

/// The rules that the size of the images adds: the windows fit into what the layers before them leave, a window has at
/// most kMaxFeatures numbers, and an image at most 2^30, or kMaxFeatures where a linear follows.
void CheckSizes(const ConvNetOptions& options, const FieldPath& at, Faults& faults);

/// A plain convolutional network: convolutions and then linears, `layers.0` to `layers.N`, with an activation after
/// each, and the linear `head`.
class ConvNet : public Model {
 public:
  /// Throws Error on options that Check, CheckSizes or the Check of the image finds fault with.
  ConvNet(const ConvNetOptions& options, Generator& generator);
  std::string_view type_name() const override { return "ConvNet"; }
  /// x [batch, height * width * channels], as images are stored; result [batch, out_features].
  Tensor Forward(const Tensor& x) override;
  LinearProducts ProductsOf(const std::string& linear, int64_t samples) const override;

 private:
  struct Convolution {
    ModuleSlot* layer;
    std::string linear;  // Its full name.
    ImageSize input;
    int64_t pool;
  };

  ImageSize image_;
  Activation activation_;
  std::vector<Convolution> convolutions_;
  std::vector<ModuleSlot*> linears_;   // The head is the last one.
  std::vector<ModuleSlot*> dropouts_;  // One for each linear, or none.
};

}  // namespace twofour::nn
