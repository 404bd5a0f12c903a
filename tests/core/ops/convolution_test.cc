#include "twofour/core/ops/convolution.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "twofour/core/error.h"
#include "twofour/core/ops/matmul.h"

#include "tests/support/gradient_checker.h"
#include "tests/support/tensors.h"

namespace twofour {
namespace {

using test::CheckGradients;
using test::ExpectBitEqual;
using test::ExpectClose;
using test::Leaf;
using test::RandomF32;
using test::RandomF64;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr WindowOptions kWindows = {.kernel_size = {3, 2}, .stride = {1, 2}, .padding = {1, 0}};

TEST(Conv2dOpTest, AgreesWithCentralDifferences) {
  const std::vector<Tensor> inputs = {RandomF64({2, 5, 4, 2}, {.seed = 1}).set_requires_grad(),
                                      RandomF64({3, 12}, {.seed = 2}).set_requires_grad(),
                                      RandomF64({3}, {.seed = 3}).set_requires_grad()};
  EXPECT_TRUE(CheckGradients([](const auto& in) { return Conv2d(in[0], in[1], in[2], kWindows); }, inputs));
}

/// As many images as make several parts, and a last part that is smaller.
TEST(Conv2dOpTest, TakesImagesInParts) {
  const WindowOptions windows = {.kernel_size = 3, .padding = 1};
  Tensor x = RandomF32({70, 16, 16, 8}, {.seed = 1}).set_requires_grad();
  Tensor weight = RandomF32({6, 72}, {.seed = 2}).set_requires_grad();
  Tensor bias = RandomF32({6}, {.seed = 3}).set_requires_grad();
  const Tensor dy = RandomF32({70, 16, 16, 6}, {.seed = 4});
  const Tensor y = Conv2d(x, weight, bias, windows);
  y.Backward(dy);

  Tensor x_again = x.Clone().set_requires_grad(), weight_again = weight.Clone().set_requires_grad(),
         bias_again = bias.Clone().set_requires_grad();
  const Tensor expected = Linear(Unfold(x_again, windows), weight_again, bias_again);
  expected.Backward(dy);
  ExpectBitEqual(y.Detach(), expected.Detach());
  ExpectBitEqual(x.grad(), x_again.grad());
  ExpectBitEqual(bias.grad(), bias_again.grad());
  ExpectClose(weight.grad(), weight_again.grad(), 1e-5, 1e-3);
}

/// Whether each thread takes parts of its own, or all share the work of each part.
TEST(Conv2dOpTest, GivesTheSameBitsOnAnyNumberOfThreads) {
  const WindowOptions windows = {.kernel_size = 3, .padding = 1};
  std::vector<Tensor> expected;
  for (const int threads : {1, 2, 3, 16}) {
    const test::ScopedNumThreads scope(threads);
    const Tensor x = RandomF32({5, 32, 32, 16}, {.seed = 1}).set_requires_grad();
    const Tensor weight = RandomF32({6, 144}, {.seed = 2}).set_requires_grad();
    const Tensor y = Conv2d(x, weight, Tensor(), windows);
    y.Backward(RandomF32(y.shape(), {.seed = 3}));
    const std::vector<Tensor> results = {y.Detach(), x.grad(), weight.grad()};
    if (expected.empty()) expected = results;
    for (size_t i = 0; i < results.size(); ++i) ExpectBitEqual(results[i], expected[i]);
  }
}

TEST(Conv2dOpTest, SaysHowManyRowsItsProductsHave) {
  const WindowOptions windows = {.kernel_size = {3, 2}, .stride = {2, 1}};
  for (const int64_t images : {1, 3, 200}) {
    const Tensor x = RandomF32({images, 12, 13, 8}, {.seed = 1}), weight = RandomF32({4, 48}, {.seed = 2});
    const test::ScopedNumThreads scope(1);
    std::vector<int64_t> rows;
    const auto forward = [&](const Tensor& part) {
      rows.push_back(part.dim(0));
      return Linear(part, weight);
    };
    ConvolveBy("test", x, weight, Tensor(), windows, {.forward = forward, .input_grad = {}});
    ASSERT_FALSE(rows.empty());
    EXPECT_EQ(rows.size() > 1, images == 200);
    rows.pop_back();  // May be fewer.
    for (const int64_t of_part : rows) EXPECT_EQ(of_part, RowsOfConv2dProducts(x.shape(), windows));
    if (rows.empty()) {
      EXPECT_EQ(images * 5 * 12, RowsOfConv2dProducts(x.shape(), windows));
    }
  }
}

TEST(Conv2dOpTest, LeavesOutGradientsThatNobodyNeeds) {
  const Tensor x = RandomF32({2, 4, 4, 2}, {.seed = 1});
  Tensor weight = RandomF32({3, 18}, {.seed = 2}).set_requires_grad();
  Conv2d(x, weight, Tensor(), {.kernel_size = 3}).Backward(RandomF32({2, 2, 2, 3}, {.seed = 3}));
  EXPECT_FALSE(x.grad().defined());
  EXPECT_EQ(weight.grad().shape(), (Shape{3, 18}));
}

TEST(Conv2dOpTest, TakesNoImages) {
  for (const int64_t channels : {2, 0}) {
    Tensor x = Tensor::Zeros({channels == 0 ? 2 : 0, 4, 4, channels}).set_requires_grad();
    Tensor weight = Tensor::Zeros({3, 9 * channels}).set_requires_grad();
    const Tensor y = Conv2d(x, weight, Tensor(), {.kernel_size = 3});
    EXPECT_EQ(y.shape(), (Shape{x.dim(0), 2, 2, 3}));
    y.Backward(Tensor::Zeros(y.shape()));
    EXPECT_EQ(x.grad().shape(), x.shape());
    ExpectBitEqual(weight.grad(), Tensor::Zeros({3, 9 * channels}));
  }
}

TEST(Conv2dOpTest, RefusesAWeightThatWasWrittenToSince) {
  Tensor x = RandomF32({1, 3, 3, 1}, {.seed = 1}).set_requires_grad();
  Tensor weight = RandomF32({2, 9}, {.seed = 2});
  const Tensor y = Conv2d(x, weight, Tensor(), {.kernel_size = 3});
  weight.mutable_data<float>()[0] = 1;
  EXPECT_THAT([&] { y.Backward(Tensor::Zeros(y.shape())); },
              ThrowsMessage<Error>(HasSubstr("was written to in place")));
}

TEST(Conv2dOpTest, Errors) {
  const Tensor x = Tensor::Zeros({1, 4, 4, 2});
  const auto convolve = [&x](const Shape& weight, const Shape& bias) {
    return [&x, weight, bias] { Conv2d(x, Tensor::Zeros(weight), Tensor::Zeros(bias), {.kernel_size = 3}); };
  };
  EXPECT_THAT(convolve({3, 9}, {3}), ThrowsMessage<Error>(AllOf(HasSubstr("Conv2d: x f32 [1, 4, 4, 2]"),
                                                                HasSubstr("a weight [out_channels, 18]"))));
  EXPECT_THAT(convolve({18}, {3}), ThrowsMessage<Error>(HasSubstr("expected a weight [out_channels, 18]")));
  EXPECT_THAT(convolve({3, 18}, {4}), ThrowsMessage<Error>(HasSubstr("Conv2d: bias")));
  EXPECT_THAT(
      [] {
        Conv2d(Tensor::Zeros({4, 4}), Tensor::Zeros({3, 9}), {}, {.kernel_size = 3});
      },
      ThrowsMessage<Error>(HasSubstr("Conv2d: x has shape [4, 4]")));
}

}  // namespace
}  // namespace twofour
