#include "twofour/core/ops/windows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <optional>
#include <ostream>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/ops/arithmetic.h"
#include "twofour/core/ops/reduction.h"

#include "tests/support/gradient_checker.h"
#include "tests/support/tensors.h"

namespace twofour {
namespace {

using test::CheckGradients;
using test::ExpectBitEqual;
using test::F32;
using test::I32;
using test::Leaf;
using test::RandomF64;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

struct Case {
  Shape x;
  WindowOptions options;
};
void PrintTo(const Case& c, std::ostream* out) {
  const WindowOptions& o = c.options;
  *out << ToString(c.x) << ", kernel " << o.kernel_size.height << "x" << o.kernel_size.width << ", stride "
       << o.stride.height << "x" << o.stride.width << ", padding " << o.padding.height << "x" << o.padding.width
       << ", dilation " << o.dilation.height << "x" << o.dilation.width;
}

/// The pixel of a channel; nothing where that is padding.
std::optional<double> Pixel(const Tensor& x, int64_t image, int64_t row, int64_t column, int64_t channel) {
  if (row < 0 || row >= x.dim(1) || column < 0 || column >= x.dim(2)) return std::nullopt;
  return x.data<double>()[((image * x.dim(1) + row) * x.dim(2) + column) * x.dim(3) + channel];
}

/// How many windows fit, by sliding one until it leaves the padded image.
int64_t CountWindows(int64_t size, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation) {
  int64_t count = 0;
  for (int64_t first = -padding; first + dilation * (kernel - 1) < size + padding; first += stride) ++count;
  return count;
}

class WindowsTest : public ::testing::TestWithParam<Case> {
 protected:
  /// Calls visit(index, pixels) for each window and channel, in the order of a result [batch, down, across, channels].
  void ForEachWindow(const std::function<void(const std::vector<std::optional<double>>&)>& visit) const {
    const auto& [kernel, stride, padding, dilation] = GetParam().options;
    for (int64_t image = 0; image < x_.dim(0); ++image) {
      for (int64_t i = 0; i < Down(); ++i) {
        for (int64_t j = 0; j < Across(); ++j) {
          for (int64_t channel = 0; channel < x_.dim(3); ++channel) {
            std::vector<std::optional<double>> pixels;
            for (int64_t ki = 0; ki < kernel.height; ++ki) {
              for (int64_t kj = 0; kj < kernel.width; ++kj) {
                pixels.push_back(Pixel(x_, image, i * stride.height - padding.height + ki * dilation.height,
                                       j * stride.width - padding.width + kj * dilation.width, channel));
              }
            }
            visit(pixels);
          }
        }
      }
    }
  }
  int64_t Down() const {
    const WindowOptions& o = GetParam().options;
    return CountWindows(x_.dim(1), o.kernel_size.height, o.stride.height, o.padding.height, o.dilation.height);
  }
  int64_t Across() const {
    const WindowOptions& o = GetParam().options;
    return CountWindows(x_.dim(2), o.kernel_size.width, o.stride.width, o.padding.width, o.dilation.width);
  }
  /// Whether the padding is at most half a window, as MaxPool2d wants it.
  bool CanPool() const {
    const WindowOptions& o = GetParam().options;
    return o.padding.height <= o.kernel_size.height / 2 && o.padding.width <= o.kernel_size.width / 2;
  }

  const Tensor x_ = RandomF64(GetParam().x, {1});
};

TEST_P(WindowsTest, UnfoldCopiesWhatIsUnderEachWindow) {
  const int64_t kernel = GetParam().options.kernel_size.height * GetParam().options.kernel_size.width;
  const int64_t channels = x_.dim(3);
  for (const DType dtype : {DType::kF64, DType::kF32, DType::kBF16, DType::kF8E5M2, DType::kI32, DType::kI16}) {
    SCOPED_TRACE(NameOf(dtype));
    const Tensor x = IsFloating(dtype) ? x_.To(dtype) : Scale(x_, 100).To(dtype);
    const Tensor y = Unfold(x, GetParam().options);
    ASSERT_EQ(y.shape(), (Shape{x.dim(0), Down(), Across(), kernel * channels}));
    ASSERT_EQ(y.dtype(), dtype);
    if (dtype != DType::kF64) {
      ExpectBitEqual(y.To(DType::kF64), Unfold(x.To(DType::kF64), GetParam().options));
      continue;
    }
    int64_t at = 0;  // Of windows times channels.
    ForEachWindow([&](const std::vector<std::optional<double>>& pixels) {
      const double* const window = y.data<double>() + at / channels * kernel * channels;
      for (size_t k = 0; k < pixels.size(); ++k) {
        ASSERT_EQ(window[static_cast<int64_t>(k) * channels + at % channels], pixels[k].value_or(0.0));
      }
      ++at;
    });
  }
}

TEST_P(WindowsTest, MaxPoolTakesTheLargest) {
  if (!CanPool()) GTEST_SKIP() << "more padding than MaxPool2d takes";
  const Tensor y = MaxPool2d(x_, GetParam().options);
  ASSERT_EQ(y.shape(), (Shape{x_.dim(0), Down(), Across(), x_.dim(3)}));
  int64_t at = 0;
  ForEachWindow([&](const std::vector<std::optional<double>>& pixels) {
    double largest = -std::numeric_limits<double>::infinity();
    for (const std::optional<double>& pixel : pixels) largest = std::max(largest, pixel.value_or(largest));
    ASSERT_EQ(y.data<double>()[at++], largest);
  });
  // Rounding keeps the order, so in 16 bits the largest is the rounded one.
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16}) {
    ExpectBitEqual(MaxPool2d(x_.To(dtype), GetParam().options), y.To(dtype));
  }
}

TEST_P(WindowsTest, Gradients) {
  const WindowOptions options = GetParam().options;
  const int64_t varied = x_.numel() > 1000 ? 10 : 100;  // Of large images fewer, because each takes a pass over all.
  EXPECT_TRUE(
      CheckGradients([&](const auto& in) { return Unfold(in[0], options); }, {Leaf(x_)}, {.max_varied = varied}));
  if (!CanPool() || !std::isfinite(Sum(MaxPool2d(x_, options)).item())) return;  // Infinities have no differences.
  EXPECT_TRUE(
      CheckGradients([&](const auto& in) { return MaxPool2d(in[0], options); }, {Leaf(x_)}, {.max_varied = varied}));
}

TEST_P(WindowsTest, ThreadsDoNotMatter) {
  const auto run = [&](int threads) {
    const test::ScopedNumThreads scope(threads);
    const internal::AlwaysShare share;
    Tensor x = x_.To(DType::kF32);
    x.set_requires_grad();
    Sum(Mul(Unfold(x, GetParam().options), Unfold(x, GetParam().options))).Backward();
    return x.grad();
  };
  const Tensor expected = run(1);
  ExpectBitEqual(run(3), expected);
}

INSTANTIATE_TEST_SUITE_P(
    Grids, WindowsTest,
    ::testing::Values(Case{{2, 5, 6, 3}, {.kernel_size = 3}}, Case{{2, 5, 6, 3}, {.kernel_size = 3, .padding = 1}},
                      Case{{1, 7, 8, 4}, {.kernel_size = 2, .stride = 2}},
                      Case{{1, 7, 8, 1}, {.kernel_size = 3, .stride = 2, .padding = 1}},
                      Case{{2, 9, 7, 2}, {.kernel_size = {2, 3}, .stride = {3, 1}, .padding = {1, 0}}},
                      Case{{1, 9, 10, 2}, {.kernel_size = 3, .stride = 2, .padding = 1, .dilation = {2, 3}}},
                      Case{{1, 3, 3, 2}, {.kernel_size = 2, .stride = 5, .padding = 3}},  // Windows of padding alone.
                      Case{{1, 4, 4, 2}, {.kernel_size = 2, .padding = 1, .dilation = 5}}, Case{{3, 1, 1, 5}, {}},
                      Case{{0, 4, 4, 2}, {.kernel_size = 2}}, Case{{2, 4, 4, 0}, {.kernel_size = 2}},
                      Case{{4, 28, 28, 8}, {.kernel_size = 5, .padding = 2}}));

TEST(UnfoldTest, AConvolutionByHand) {
  // A Laplacian over an image of one bright pixel.
  const Tensor x = F32({0, 0, 0, 0, 1, 0, 0, 0, 0}, {1, 3, 3, 1});
  const Tensor windows = Unfold(x, {.kernel_size = 3, .padding = 1});
  const Tensor laplacian = F32({0, 1, 0, 1, -4, 1, 0, 1, 0}, {9});
  ExpectBitEqual(Sum(Mul(windows, laplacian), -1), F32({0, 1, 0, 1, -4, 1, 0, 1, 0}, {1, 3, 3}));
}

TEST(MaxPool2dTest, EqualOnesAndNans) {
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  Tensor x = F32({2, 2, 1, 2, /**/ -inf, -inf, -inf, -inf, /**/ 1, nan, nan, 3}, {3, 2, 2, 1});
  x.set_requires_grad();
  const Tensor y = MaxPool2d(x, {.kernel_size = 2});
  EXPECT_EQ(y.data<float>()[0], 2);
  EXPECT_EQ(y.data<float>()[1], -inf);
  EXPECT_TRUE(std::isnan(y.data<float>()[2]));
  y.Backward(F32({5, 6, 7}, {3, 1, 1, 1}));
  ExpectBitEqual(x.grad(), F32({5, 0, 0, 0, 6, 0, 0, 0, 0, 7, 0, 0}, {3, 2, 2, 1}));
}

TEST(MaxPool2dTest, AWindowOfPaddingAloneIsMinusInfinity) {
  Tensor x = F32({1}, {1, 1, 1, 1});
  x.set_requires_grad();
  const Tensor y = MaxPool2d(x, {.kernel_size = 2, .padding = 1, .dilation = 2});
  ASSERT_EQ(y.numel(), 1);
  EXPECT_EQ(y.data<float>()[0], -std::numeric_limits<float>::infinity());
  y.Backward(F32({5}, {1, 1, 1, 1}));
  ExpectBitEqual(x.grad(), F32({0}, {1, 1, 1, 1}));
}

TEST(WindowsErrorsTest, SayWhatIsWrong) {
  const Tensor x = Tensor::Zeros({1, 4, 6, 2});
  const auto unfold = [](const Tensor& t, const WindowOptions& options) { return [=] { Unfold(t, options); }; };
  EXPECT_THAT(unfold(Tensor(), {}), ThrowsMessage<Error>(HasSubstr("Unfold: x is undefined")));
  EXPECT_THAT(unfold(Tensor::Zeros({4, 6}), {}),
              ThrowsMessage<Error>(HasSubstr("Unfold: x has shape [4, 6], expected [batch, height, width, channels]")));
  EXPECT_THAT(unfold(x, {.kernel_size = {5, 1}}),
              ThrowsMessage<Error>(HasSubstr("Unfold: the height of x is 4, with padding 4, expected at least 5")));
  EXPECT_THAT(unfold(x, {.kernel_size = 3, .dilation = {1, 3}}),
              ThrowsMessage<Error>(HasSubstr("Unfold: the width of x is 6, with padding 6, expected at least 7")));
  EXPECT_THAT(unfold(x, {.kernel_size = {0, 1}}),
              ThrowsMessage<Error>(HasSubstr("Unfold: kernel_size is 0 x 1, expected sizes of 1 to 2^30")));
  EXPECT_THAT(unfold(x, {.stride = 0}), ThrowsMessage<Error>(HasSubstr("stride is 0 x 0")));
  EXPECT_THAT(unfold(x, {.padding = {0, -1}}), ThrowsMessage<Error>(HasSubstr("padding is 0 x -1")));
  EXPECT_THAT(unfold(x, {.dilation = -1}), ThrowsMessage<Error>(HasSubstr("dilation is -1 x -1")));
  EXPECT_THAT(unfold(x, {.stride = std::numeric_limits<int64_t>::max()}), ThrowsMessage<Error>(HasSubstr("stride")));
  EXPECT_THROW(Unfold(x, {.kernel_size = 1 << 30, .padding = 1 << 30}), Error);  // Too large to allocate.
  EXPECT_THAT(
      [&] {
        MaxPool2d(x, {.kernel_size = {2, 3}, .padding = {1, 2}});
      },
      ThrowsMessage<Error>(HasSubstr("MaxPool2d: padding is 1 x 2, expected half the kernel_size 2 x 3 at most")));
  EXPECT_THAT([] { MaxPool2d(I32({1}, {1, 1, 1, 1}), {}); }, ThrowsMessage<Error>(HasSubstr("MaxPool2d: x")));
}

}  // namespace
}  // namespace twofour
