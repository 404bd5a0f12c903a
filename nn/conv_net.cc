#include "twofour/nn/conv_net.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string>

#include "twofour/core/ceil_div.h"
#include "twofour/core/error.h"
#include "twofour/core/ops/check.h"
#include "twofour/core/ops/layout.h"
#include "twofour/nn/conv2d.h"
#include "twofour/nn/layers.h"
#include "twofour/nn/linear.h"
#include "twofour/nn/mlp_stack.h"

namespace twofour::nn {
namespace {

constexpr int64_t kMaxLayers = 1000;
// Numbers of an image between layers: 4 GiB of floats.
constexpr int64_t kMaxImage = int64_t{1} << 30;

int64_t Padding(const ConvLayerOptions& options) {
  return options.padding < 0 ? options.kernel_size / 2 : options.padding;
}

/// What the convolution of a layer makes of an image. Sizes below 1 mean that no window fits.
ImageSize Convolved(const ImageSize& image, const ConvLayerOptions& options) {
  const auto along = [&](int64_t size) {
    const int64_t room = size + 2 * Padding(options) - options.kernel_size;
    return room < 0 ? 0 : room / options.stride + 1;
  };
  return {along(image.height), along(image.width), options.out_channels};
}

ImageSize Pooled(const ImageSize& image, const ConvLayerOptions& options) {
  return {image.height / options.pool, image.width / options.pool, image.channels};
}

int64_t Numbers(const ImageSize& image) { return image.height * image.width * image.channels; }

bool IsEmpty(const ImageSize& image) { return image.height < 1 || image.width < 1; }

}  // namespace

void Check(const ImageSize& size, const FieldPath& at, Faults& faults) {
  faults.InRange(at("height"), size.height, 1, kMaxFeatures);
  faults.InRange(at("width"), size.width, 1, kMaxFeatures);
  faults.InRange(at("channels"), size.channels, 1, kMaxFeatures);
  if (!faults.IsSound(at("height")) || !faults.IsSound(at("width")) || !faults.IsSound(at("channels"))) return;
  const int64_t most = kMaxFeatures / size.width / size.height;
  faults.Expect(size.channels <= most, at("channels"), size.channels,
                fmt::format("at most {} numbers in an image, which is {} x {}", kMaxFeatures, size.height, size.width));
}

void Check(const ConvLayerOptions& options, const FieldPath& at, Faults& faults) {
  faults.InRange(at("out_channels"), options.out_channels, 1, kMaxFeatures);
  faults.InRange(at("kernel_size"), options.kernel_size, 1, kMaxFeatures);
  faults.InRange(at("stride"), options.stride, 1, kMaxFeatures);
  if (faults.IsSound(at("kernel_size"))) {
    faults.InRange(at("padding"), options.padding, -1, options.kernel_size - 1);
  }
  faults.InRange(at("pool"), options.pool, 1, kMaxFeatures);
}

void Check(const ConvNetOptions& options, const FieldPath& at, Faults& faults) {
  faults.InRange(at("convolutions") + " (how many)", std::ssize(options.convolutions), 1, kMaxLayers);
  for (size_t i = 0; i < options.convolutions.size(); ++i) {
    Check(options.convolutions[i], at.In("convolutions", i), faults);
  }
  CheckHiddenFeatures(options.hidden_features, at("hidden_features"), faults);
  faults.Probability(at("dropout"), options.dropout);
  CheckUngated(options.activation, at("activation"), faults);
}

void CheckSizes(const ConvNetOptions& options, const FieldPath& at, Faults& faults) {
  ImageSize image = options.image;
  for (size_t i = 0; i < options.convolutions.size(); ++i) {
    const ConvLayerOptions& layer = options.convolutions[i];
    const FieldPath path = at.In("convolutions", i);
    const ImageSize before = image, convolved = Convolved(before, layer);
    faults.Expect(!IsEmpty(convolved), path("kernel_size"), layer.kernel_size,
                  fmt::format("a window that fits: the images before it are {} x {}, with a padding of {}",
                              before.height, before.width, Padding(layer)));
    if (IsEmpty(convolved)) return;
    image = Pooled(convolved, layer);
    faults.Expect(
        !IsEmpty(image), path("pool"), layer.pool,
        fmt::format("a window that fits: the images before it are {} x {}", convolved.height, convolved.width));
    if (IsEmpty(image)) return;
    const int64_t window = kMaxFeatures / layer.kernel_size / layer.kernel_size;
    faults.Expect(before.channels <= window, path("kernel_size"), layer.kernel_size,
                  fmt::format("windows of at most {} numbers: the images before it have {} channels", kMaxFeatures,
                              before.channels));
    const auto expect_channels = [&](const ImageSize& size, int64_t limit, const char* where) {
      const int64_t most = limit / size.width / size.height;
      faults.Expect(
          layer.out_channels <= most, path("out_channels"), layer.out_channels,
          fmt::format("at most {}: {} {} x {} and may have {} numbers", most, where, size.height, size.width, limit));
    };
    expect_channels(convolved, kMaxImage, "images are");
    const bool is_last = i + 1 == options.convolutions.size();
    if (is_last) expect_channels(image, kMaxFeatures, "before the linear, images are");
    if (!faults.IsSound(path("out_channels"))) return;
  }
}

ConvNet::ConvNet(const ConvNetOptions& options, Generator& generator)
    : image_(options.image), activation_(options.activation) {
  Faults faults = FaultsOf(options, "ConvNet: ");
  Check(options.image, FieldPath("image"), faults);
  faults.Throw();
  CheckSizes(options, FieldPath(), faults);
  faults.Throw();

  int64_t layers = 0;
  const auto next_name = [&layers] { return fmt::format("layers.{}", layers++); };
  ImageSize image = options.image;
  for (const ConvLayerOptions& layer : options.convolutions) {
    const Conv2dOptions convolution{
        .in_channels = image.channels,
        .out_channels = layer.out_channels,
        .windows = {.kernel_size = layer.kernel_size, .stride = layer.stride, .padding = Padding(layer)},
        .bias = options.bias};
    const std::string name = next_name();
    convolutions_.push_back({.layer = &RegisterModule(name, std::make_unique<Conv2d>(convolution, generator)),
                             .linear = name + ".linear",
                             .input = image,
                             .pool = layer.pool});
    image = Pooled(Convolved(image, layer), layer);
  }
  int64_t features = Numbers(image);
  const auto add_linear = [&](const std::string& name, int64_t out) {
    const LinearOptions linear{.in_features = features, .out_features = out, .bias = options.bias};
    linears_.push_back(&RegisterModule(name, std::make_unique<Linear>(linear, generator)));
    features = out;
  };
  for (const int64_t hidden : options.hidden_features) add_linear(next_name(), hidden);
  add_linear("head", options.out_features);
  if (options.dropout == 0.0) return;
  for (size_t i = 0; i < linears_.size(); ++i) {
    dropouts_.push_back(
        &RegisterModule(fmt::format("dropouts.{}", i), std::make_unique<Dropout>(options.dropout, generator)));
  }
}

Tensor ConvNet::Forward(const Tensor& x) {
  ops::RequireFloating("ConvNet", "x", x);
  if (x.rank() != 2 || x.dim(1) != Numbers(image_)) {
    throw Error(fmt::format("ConvNet: x has shape {}, expected [batch, {} * {} * {}]", ToString(x.shape()),
                            image_.height, image_.width, image_.channels));
  }
  Tensor h = Reshape(FromInput(x), {x.dim(0), image_.height, image_.width, image_.channels});
  for (const Convolution& convolution : convolutions_) {
    h = Activate(activation_, (*convolution.layer)->Forward(h));
    if (convolution.pool > 1) h = ops::MaxPool2d(h, {.kernel_size = convolution.pool, .stride = convolution.pool});
  }
  h = Reshape(h, {h.dim(0), h.dim(1) * h.dim(2) * h.dim(3)});
  for (size_t i = 0; i < linears_.size(); ++i) {
    if (!dropouts_.empty()) h = (*dropouts_[i])->Forward(h);
    if (i + 1 < linears_.size()) h = Activate(activation_, (*linears_[i])->Forward(h));
  }
  return Logits(**linears_.back(), h);
}

LinearProducts ConvNet::ProductsOf(const std::string& linear, int64_t samples) const {
  const auto found = std::ranges::find(convolutions_, linear, &Convolution::linear);
  const auto* const layer = found == convolutions_.end() ? nullptr : dynamic_cast<const Conv2d*>(found->layer->get());
  if (layer == nullptr) return Model::ProductsOf(linear, samples);
  const auto rows = [&](int64_t images) {
    return layer->RowsOfProducts({images, found->input.height, found->input.width, found->input.channels});
  };
  const int64_t together = rows(samples);
  return {.rows = together, .count = together > 0 ? CeilDiv(samples * rows(1), together) : 0};
}

}  // namespace twofour::nn
