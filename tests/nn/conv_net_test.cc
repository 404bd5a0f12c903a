#include "twofour/nn/conv_net.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "twofour/core/error.h"
#include "twofour/core/ops.h"
#include "twofour/nn/swap.h"

#include "tests/nn/compare_with_ops.h"

namespace twofour::nn {
namespace {

using test::ExpectComputes;
using test::RandomF32;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

ConvNetOptions Small() {
  return {.image = {5, 6, 2},
          .convolutions = {{.out_channels = 3}, {.out_channels = 4, .kernel_size = 2, .padding = 0, .pool = 2}},
          .hidden_features = {7},
          .out_features = 3};
}

TEST(ConvNetTest, IsConvolutionsAndThenLinears) {
  Generator generator(1);
  ConvNetOptions options = Small();
  options.activation = Activation::kGelu;
  ConvNet net(options, generator);
  ExpectComputes(net, RandomF32({3, 60}, {.seed = 1}), [](const auto& in) {
    Tensor h = Reshape(in[0], {3, 5, 6, 2});
    h = Gelu(ops::Linear(Unfold(h, {.kernel_size = 3, .padding = 1}), in[1], in[2]));
    h = Gelu(ops::Linear(Unfold(h, {.kernel_size = 2}), in[3], in[4]));  // [3, 4, 5, 4]
    h = Reshape(ops::MaxPool2d(h, {.kernel_size = 2, .stride = 2}), {3, 2 * 2 * 4});
    return ops::Linear(Gelu(ops::Linear(h, in[5], in[6])), in[7], in[8]);
  });
}

TEST(ConvNetTest, NamesItsLayersAsSwapsAndOptimizersExpect) {
  Generator generator(1);
  ConvNet net({.image = {8, 8, 1},
               .convolutions = {{.out_channels = 16, .pool = 2}, {.out_channels = 16, .pool = 2}},
               .hidden_features = {32},
               .out_features = 10},
              generator);
  std::vector<std::string> converted, kept;
  const SwapReport report = SwapLinearWithSemiSparseLinear(net);
  for (const SwapEntry& entry : report.converted) converted.push_back(entry.name);
  for (const SwapEntry& entry : report.kept_dense) kept.push_back(entry.name);
  EXPECT_THAT(converted, ElementsAre("layers.1.linear", "layers.2"));
  EXPECT_THAT(kept, ElementsAre("layers.0.linear", "head"));
  EXPECT_EQ(net.Forward(Tensor::Zeros({2, 64})).shape(), (Shape{2, 10}));
}

/// The convolutions have 5 x 6 and 4 x 5 windows over an image, of 18 and 12 numbers.
TEST(ConvNetTest, CountsTheProductsOfItsLinears) {
  Generator generator(1);
  const ConvNet net(Small(), generator);
  const auto products_of = [&](const std::string& linear, int64_t images) {
    const LinearProducts products = net.ProductsOf(linear, images);
    return std::pair(products.rows, products.count);
  };
  EXPECT_EQ(products_of("layers.0.linear", 7), std::pair(7 * 30L, 1L));
  EXPECT_EQ(products_of("layers.1.linear", 7), std::pair(7 * 20L, 1L));
  EXPECT_EQ(products_of("layers.2", 7), std::pair(7L, 1L));
  EXPECT_EQ(products_of("head", 7), std::pair(7L, 1L));
  EXPECT_EQ(products_of("head", 0), std::pair(0L, 1L));
  EXPECT_EQ(products_of("layers.0.linear", 0), std::pair(0L, 0L));
  // 2^17 numbers are 242 images of 540.
  EXPECT_EQ(products_of("layers.0.linear", 500), std::pair(242 * 30L, 3L));
}

TEST(ConvNetTest, DropsInputsOfLinearsWhileTraining) {
  Generator generator(1);
  ConvNetOptions options = Small();
  options.dropout = 0.5;
  ConvNet net(options, generator);
  const Tensor x = RandomF32({2, 60}, {.seed = 1});
  net.SetStep(1);
  const std::vector<float> one = net.Forward(x).ToVector();
  net.SetStep(2);
  EXPECT_NE(net.Forward(x).ToVector(), one);
  net.SetTraining(false);
  const std::vector<float> evaluated = net.Forward(x).ToVector();
  net.SetStep(1);
  EXPECT_EQ(net.Forward(x).ToVector(), evaluated);
}

TEST(ConvNetTest, BadOptionsAreErrors) {
  const auto expect = [](const std::function<void(ConvNetOptions&)>& spoil, const std::string& message) {
    ConvNetOptions options = Small();
    spoil(options);
    Generator generator(1);
    EXPECT_THAT([&] { ConvNet(options, generator); }, ThrowsMessage<Error>(HasSubstr("ConvNet: " + message)));
  };
  constexpr int64_t kLarge = int64_t{1} << 62;
  expect([](auto& o) { o.image.height = 0; }, "image.height is 0, expected 1 to 1048576");
  expect(
      [](auto& o) {
        o.image = {1024, 1024, 2};
      },
      "image.channels is 2, expected at most 1048576 numbers in an image");
  expect([](auto& o) { o.convolutions.clear(); }, "convolutions (how many) is 0, expected 1 to 1000");
  expect([](auto& o) { o.convolutions[1].out_channels = 0; }, "convolutions[1].out_channels is 0");
  expect([](auto& o) { o.convolutions[1].padding = -2; }, "convolutions[1].padding is -2");
  expect([](auto& o) { o.convolutions[1].padding = 2; }, "convolutions[1].padding is 2, expected -1 to 1");
  expect([](auto& o) { o.convolutions[0].stride = 0; }, "convolutions[0].stride is 0");
  for (const auto member : {&ConvLayerOptions::out_channels, &ConvLayerOptions::kernel_size, &ConvLayerOptions::stride,
                            &ConvLayerOptions::padding, &ConvLayerOptions::pool}) {
    expect([&](auto& o) { o.convolutions[0].*member = kLarge; }, "convolutions[0].");
  }
  expect([](auto& o) { o.convolutions[1].kernel_size = 6; },
         "convolutions[1].kernel_size is 6, expected a window that "
         "fits: the images before it are 5 x 6, with a padding");
  expect([](auto& o) { o.convolutions[1].pool = 5; },
         "convolutions[1].pool is 5, expected a window that fits: the "
         "images before it are 4 x 5");
  // Too many numbers in an image before the linear, between two layers, and in a window.
  expect([](auto& o) { o.convolutions[1].out_channels = 1 << 20; },
         "convolutions[1].out_channels is 1048576, expected at most 262144: before the linear, images are 2 x 2");
  expect(
      [](auto& o) {
        o.image = {1024, 1024, 1};
        o.convolutions[0] = {.out_channels = 1025, .pool = 1024};
      },
      "convolutions[0].out_channels is 1025, expected at most 1024: images are 1024 x 1024 and may have 1073741824");
  expect([](auto& o) { o.convolutions[0] = {.out_channels = 1, .kernel_size = 1 << 20, .stride = 1 << 20}; },
         "convolutions[0].kernel_size is 1048576, expected windows of at most 1048576 numbers");
  expect([](auto& o) { o.hidden_features = {4, -1}; }, "hidden_features[1] is -1");
  expect([](auto& o) { o.dropout = 1; }, "dropout is 1");
  expect([](auto& o) { o.activation = Activation::kSwiGlu; }, "activation is swiglu");
}

TEST(ConvNetTest, SaysWhichInputItExpects) {
  Generator generator(1);
  ConvNet net(Small(), generator);
  for (const Shape& shape : {Shape{2, 61}, Shape{60}, Shape{1, 5, 6, 2}}) {
    EXPECT_THAT(
        [&] { net.Forward(Tensor::Zeros(shape)); },
        ThrowsMessage<Error>(HasSubstr("ConvNet: x has shape " + ToString(shape) + ", expected [batch, 5 * 6 * 2]")));
  }
  EXPECT_EQ(net.Forward(Tensor::Zeros({0, 60})).shape(), (Shape{0, 3}));
}

}  // namespace
}  // namespace twofour::nn
