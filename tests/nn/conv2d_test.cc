#include "twofour/nn/conv2d.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "twofour/core/check_gradients.h"
#include "twofour/core/error.h"
#include "twofour/core/ops.h"
#include "twofour/nn/forward_observer.h"
#include "twofour/nn/linear.h"
#include "twofour/nn/swap.h"
#include "twofour/optim/sgd.h"

#include "tests/nn/compare_with_ops.h"

namespace twofour::nn {
namespace {

using test::ExpectBitEqual;
using test::ExpectClose;
using test::ExpectComputes;
using test::RandomF32;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

/// The convolution by its definition, in double, for a weight [out, kernel height, kernel width, in].
Tensor Convolve(const Tensor& x, const Tensor& weight, const Tensor& bias, const Shape& kernel, const Shape& stride,
                const Shape& padding, const Shape& out) {
  Tensor y = Tensor::Empty(out, DType::kF64);
  double* at = y.mutable_data<double>();
  const int64_t height = x.dim(1), width = x.dim(2), channels = x.dim(3);
  for (int64_t n = 0; n < out[0]; ++n) {
    for (int64_t i = 0; i < out[1]; ++i) {
      for (int64_t j = 0; j < out[2]; ++j) {
        for (int64_t o = 0; o < out[3]; ++o, ++at) {
          *at = static_cast<double>(bias.data<float>()[o]);
          const float* w = weight.data<float>() + o * kernel[0] * kernel[1] * channels;
          for (int64_t ki = 0; ki < kernel[0]; ++ki) {
            for (int64_t kj = 0; kj < kernel[1]; ++kj) {
              const int64_t row = i * stride[0] - padding[0] + ki, column = j * stride[1] - padding[1] + kj;
              for (int64_t c = 0; c < channels; ++c, ++w) {
                if (row < 0 || row >= height || column < 0 || column >= width) continue;
                *at += static_cast<double>(*w) *
                       static_cast<double>(x.data<float>()[((n * height + row) * width + column) * channels + c]);
              }
            }
          }
        }
      }
    }
  }
  return y;
}

TEST(Conv2dTest, AgreesWithTheDefinition) {
  Generator generator(1);
  Conv2d conv(
      {.in_channels = 3, .out_channels = 5, .windows = {.kernel_size = {3, 2}, .stride = {1, 2}, .padding = {1, 0}}},
      generator);
  ASSERT_EQ(conv.NamedParameters().size(), 2u);
  EXPECT_EQ(conv.NamedParameters()[0].name, "linear.weight");
  EXPECT_EQ(conv.NamedParameters()[0].tensor.shape(), (Shape{5, 3 * 2 * 3}));
  EXPECT_EQ(conv.NamedParameters()[1].name, "linear.bias");
  const Tensor x = RandomF32({2, 6, 7, 3}, {.seed = 2});
  const Tensor y = conv.Forward(x);
  ASSERT_EQ(y.shape(), (Shape{2, 6, 3, 5}));
  ExpectClose(
      y, Convolve(x, conv.Parameters()[0], conv.Parameters()[1], {3, 2}, {1, 2}, {1, 0}, y.shape()).To(DType::kF32),
      1e-6);
}

TEST(Conv2dTest, Gradients) {
  Generator generator(1);
  const WindowOptions windows = {.kernel_size = 3, .stride = 2, .padding = 1};
  Conv2d conv({.in_channels = 2, .out_channels = 3, .windows = windows}, generator);
  ExpectComputes(conv, RandomF32({2, 5, 4, 2}, {.seed = 1}),
                 [&](const auto& in) { return ops::Linear(Unfold(in[0], windows), in[1], in[2]); });
}

TEST(Conv2dTest, BecomesSparseWithEverythingElse) {
  Generator generator(1);
  class Net : public Module {
   public:
    explicit Net(Generator& g)
        : conv_(&RegisterModule(
              "conv", std::make_unique<Conv2d>(
                          Conv2dOptions{.in_channels = 16, .out_channels = 32, .windows = {.kernel_size = 3}}, g))),
          head_(&RegisterModule("head",
                                std::make_unique<Linear>(LinearOptions{.in_features = 32, .out_features = 10}, g))) {}
    std::string_view type_name() const override { return "Net"; }
    Tensor Forward(const Tensor& x) override {
      const Tensor y = Relu((*conv_)->Forward(x));
      return (*head_)->Forward(Mean(Mean(y, 1), 1));
    }

   private:
    ModuleSlot *conv_, *head_;
  } net(generator);
  const SwapReport report = SwapLinearWithSemiSparseLinear(net);
  ASSERT_EQ(report.converted.size(), 1u);
  EXPECT_EQ(report.converted[0].name, "conv.linear");
  EXPECT_EQ(report.converted[0].in_features, 144);
  SemiSparseLinear* const layer = FindSemiSparseLinears(net)[0].layer;

  // What it computes is the convolution with the masked weight.
  const Tensor x = RandomF32({3, 6, 5, 16}, {.seed = 2});
  const Tensor y = Relu(ops::Linear(Unfold(x, {.kernel_size = 3}), layer->EffectiveWeight(), layer->bias()));
  const Tensor weight = net.Parameters()[2], bias = net.Parameters()[3];
  ExpectClose(net.Forward(x), ops::Linear(Mean(Mean(y, 1), 1), weight, bias), 1e-5);

  // And it learns.
  const Tensor targets = test::I32({0, 5, 9}, {3});
  optim::Sgd sgd(net.Parameters(), {.lr = 0.5});
  const double before = CrossEntropyLoss(net.Forward(x), targets).item();
  for (int step = 0; step < 20; ++step) {
    sgd.ZeroGrad();
    CrossEntropyLoss(net.Forward(x), targets).Backward();
    sgd.Step();
  }
  EXPECT_LT(CrossEntropyLoss(net.Forward(x), targets).item(), before / 2);
}

TEST(Conv2dTest, TakesActivationsOf16Bits) {
  Generator generator(1);
  Conv2d conv({.in_channels = 4, .out_channels = 6, .windows = {.kernel_size = 3, .padding = 1}}, generator);
  const Tensor x = RandomF32({2, 4, 4, 4}, {.seed = 1});
  const Tensor y = conv.Forward(x.To(DType::kBF16));
  EXPECT_EQ(y.dtype(), DType::kBF16);
  ExpectClose(y.To(DType::kF32), conv.Forward(x), 0x1p-7, 0x1p-7);
}

TEST(Conv2dTest, ObserversSeeWhatTheWindowsCover) {
  class Recorder : public ForwardObserver {
   public:
    void OnLinear(const Module& linear, const LinearInput& input) override {
      linear_ = &linear;
      values_ = input.Values();
      density_ = input.Density();
    }
    const Module* linear_ = nullptr;
    Tensor values_;
    double density_ = 0;
  } recorder;
  Generator generator(1);
  const WindowOptions windows = {.kernel_size = 3, .padding = 1};
  Conv2d conv({.in_channels = 16, .out_channels = 16, .windows = windows}, generator);
  const Tensor x = RandomF32({2, 4, 4, 16}, {.seed = 1});
  for (const bool is_sparse : {false, true}) {
    if (is_sparse) SwapLinearWithSemiSparseLinear(conv);
    const Tensor unobserved = conv.Forward(x);
    const ForwardObserverScope scope(recorder);
    ExpectBitEqual(conv.Forward(x).Detach(), unobserved.Detach());
    EXPECT_EQ(recorder.linear_->type_name(), is_sparse ? "SemiSparseLinear" : "Linear");
    ExpectBitEqual(recorder.values_, Unfold(x, windows));
    EXPECT_LT(recorder.density_, 1);  // Because of the padding.
  }
}

TEST(Conv2dTest, AnyModuleMayTakeThePlaceOfTheLinear) {
  Generator generator(1);
  Conv2d conv({.in_channels = 16, .out_channels = 16, .windows = {.kernel_size = 3}}, generator);
  const Tensor x = RandomF32({2, 4, 4, 16}, {.seed = 1});
  SwapLinearWithSemiSparseLinear(conv);
  const Tensor y = conv.Forward(x).Detach();
  ASSERT_EQ(SwapSemiSparseLinearWithSparseLinear(conv).converted.size(), 1u);
  ExpectClose(conv.Forward(x).Detach(), y, 1e-5);
}

TEST(Conv2dTest, Errors) {
  Generator generator(1);
  EXPECT_THAT(
      [&] {
        Conv2d({.in_channels = 0, .out_channels = 0, .windows = {.kernel_size = {0, 3}}}, generator);
      },
      ThrowsMessage<Error>(AllOf(HasSubstr("Conv2d: windows.kernel_size.height is 0"),
                                 HasSubstr("Conv2d: in_channels is 0"), HasSubstr("Conv2d: out_channels is 0"))));
  EXPECT_THAT([&] { Conv2d({.in_channels = 1 << 18, .out_channels = 1, .windows = {.kernel_size = 3}}, generator); },
              ThrowsMessage<Error>(HasSubstr("in_channels is 262144, expected at most 116508 beside a kernel_size")));
  Conv2d conv({.in_channels = 2, .out_channels = 1, .windows = {.kernel_size = 3}}, generator);
  EXPECT_THAT(
      [&] {
        conv.Forward(Tensor::Zeros({1, 2, 3, 3}));
      },
      ThrowsMessage<Error>(HasSubstr("Conv2d: x has shape [1, 2, 3, 3], expected [batch, height, width, 2]")));
  EXPECT_THAT(
      [&] {
        conv.Forward(Tensor::Zeros({1, 2, 3, 2}));
      },
      ThrowsMessage<Error>(HasSubstr("Conv2d: the height of x is 2")));
}

TEST(MaxPool2dModuleTest, PoolsWithItsWindows) {
  MaxPool2d pool({.kernel_size = 2, .stride = 2});
  const Tensor x = RandomF32({2, 4, 6, 3}, {.seed = 1});
  ExpectBitEqual(pool.Forward(x), ops::MaxPool2d(x, {.kernel_size = 2, .stride = 2}));
  EXPECT_EQ(pool.NumParameters(), 0);
}

}  // namespace
}  // namespace twofour::nn
