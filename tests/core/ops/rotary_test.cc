#include "twofour/core/ops/rotary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <limits>
#include <numbers>
#include <utility>
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
using test::ExpectClose;
using test::F64;
using test::Leaf;
using test::RandomF64;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(RotaryTest, KnownValues) {
  // Position 0 stays as it is. At position 1 the first pair turns by 1, and the second by 100^(-1/2) = 0.1.
  const double c = std::cos(1.0), s = std::sin(1.0), c2 = std::cos(0.1), s2 = std::sin(0.1);
  const Tensor x = F64({1, 2, 3, 4, 1, 2, 3, 4}, {1, 2, 1, 4});
  ExpectClose(Rotary(x, 100), F64({1, 2, 3, 4, c + 3 * s, 2 * c2 + 4 * s2, -s + 3 * c, -2 * s2 + 4 * c2}, {1, 2, 1, 4}),
              1e-15, 1e-15);
}

TEST(RotaryTest, IsAProductOfComplexNumbers) {
  constexpr int64_t kBatch = 2, kLength = 9, kHeads = 3, kHalf = 5, kFirst = 1000;
  const Tensor x = RandomF64({kBatch, kLength, kHeads, 2 * kHalf}, {1});
  const Tensor y = Rotary(x, 500, kFirst), y32 = Rotary(x.To(DType::kF32), 500, kFirst);
  for (int64_t row = 0; row < kBatch * kLength * kHeads; ++row) {
    const auto position = static_cast<double>(kFirst + row / kHeads % kLength);
    for (int64_t i = 0; i < kHalf; ++i) {
      const int64_t at = row * 2 * kHalf + i;
      const double angle = position / std::pow(std::pow(500.0, 1.0 / kHalf), static_cast<double>(i));
      const std::complex<double> turned =
          std::complex(x.data<double>()[at], x.data<double>()[at + kHalf]) * std::polar(1.0, -angle);
      ASSERT_NEAR(y.data<double>()[at], turned.real(), 1e-12);
      ASSERT_NEAR(y.data<double>()[at + kHalf], turned.imag(), 1e-12);
      ASSERT_NEAR(static_cast<double>(y32.data<float>()[at]), turned.real(), 3e-7);
      ASSERT_NEAR(static_cast<double>(y32.data<float>()[at + kHalf]), turned.imag(), 3e-7);
    }
  }
}

TEST(RotaryTest, CounterclockwiseTurnsTheOtherWay) {
  const Tensor x = RandomF64({2, 5, 3, 6}, {1});
  const RotaryOptions other{.base = 300, .counterclockwise = true};
  EXPECT_TRUE(CheckGradients([&](const auto& in) { return Rotary(in[0], other, 2); }, {Leaf(x)}));
  const Tensor y = Rotary(x, other, 2);
  for (int64_t row = 0; row < 2 * 5 * 3; ++row) {
    for (int64_t i = 0; i < 3; ++i) {
      const double angle = static_cast<double>(2 + row / 3 % 5) * std::pow(300.0, -static_cast<double>(i) / 3);
      const std::complex<double> turned =
          std::complex(x.data<double>()[row * 6 + i], x.data<double>()[row * 6 + i + 3]) * std::polar(1.0, angle);
      ASSERT_NEAR(y.data<double>()[row * 6 + i], turned.real(), 1e-12);
      ASSERT_NEAR(y.data<double>()[row * 6 + i + 3], turned.imag(), 1e-12);
    }
  }
}

TEST(RotaryTest, ScalingMakesSlowPairsSlower) {
  // At position 1, cos of the first half of a head of ones and zeros gives each pair's angle.
  const auto angles = [](const RotaryScaling& scaling) {
    const Tensor x = F64({1, 1, 1, 0, 0, 0}, {1, 1, 1, 6});
    const Tensor y = Rotary(x, RotaryOptions{.base = 1e6, .scaling = scaling}, 1);
    std::vector<double> found;
    for (int i = 0; i < 3; ++i) found.push_back(std::atan2(-y.data<double>()[i + 3], y.data<double>()[i]));
    return found;
  };
  const std::vector<double> plain = angles({}), linear = angles({.factor = 4});
  // Pairs turn by 1, 0.01 and 0.0001. Within 1000 tokens that is 159 times, 1.59 times and 0.016 times.
  const std::vector<double> scaled =
      angles({.factor = 4, .low_frequency_factor = 1, .high_frequency_factor = 4, .original_length = 1000});
  for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(linear[i], plain[i] / 4, 1e-15);
  EXPECT_NEAR(scaled[0], 1, 1e-15);
  const double kept = (1000 * 0.01 / (2 * std::numbers::pi) - 1) / 3;
  EXPECT_NEAR(scaled[1], 0.01 * (kept + (1 - kept) / 4), 1e-15);
  EXPECT_NEAR(scaled[2], 0.0001 / 4, 1e-15);
  EXPECT_THAT(
      [] {
        Rotary(F64({1, 1}, {1, 1, 1, 2}), RotaryOptions{.scaling = {.factor = 0.5}});
      },
      ThrowsMessage<Error>(HasSubstr("Rotary: scaling.factor 0.5, expected a finite number of at least 1")));
  EXPECT_THAT(
      [] {
        Rotary(F64({1, 1}, {1, 1, 1, 2}), RotaryOptions{.scaling = {.factor = 2, .high_frequency_factor = 1}});
      },
      ThrowsMessage<Error>(HasSubstr("scaling.high_frequency_factor 1, expected")));
}

TEST(RotaryTest, ProductsDependOnDistanceAlone) {
  const Tensor q = RandomF64({1, 1, 1, 16}, {1}), k = RandomF64({1, 1, 1, 16}, {2});
  const auto product = [&](int64_t query, int64_t key) {
    return Sum(Mul(Rotary(q, 10000, query), Rotary(k, 10000, key))).item();
  };
  EXPECT_NEAR(product(7, 3), product(104, 100), 1e-12);
  EXPECT_GT(std::fabs(product(7, 3) - product(8, 3)), 1e-3);
}

TEST(RotaryTest, FirstPositionContinuesASequence) {
  const Tensor x = RandomF64({1, 8, 2, 6}, {1}).To(DType::kF32);
  const Tensor whole = Rotary(x);
  const std::vector<float> all = x.ToVector(), turned = whole.ToVector();
  constexpr size_t kCut = 5 * 12;
  const Tensor rest = Tensor::FromVector(std::vector<float>(all.begin() + kCut, all.end()), {1, 3, 2, 6});
  EXPECT_EQ(Rotary(rest, 10000, 5).ToVector(), std::vector<float>(turned.begin() + kCut, turned.end()));
}

TEST(RotaryTest, Gradients) {
  for (const Shape& shape : {Shape{2, 5, 3, 4}, Shape{1, 1, 1, 2}, Shape{1, 3, 2, 22}, Shape{0, 3, 2, 4},
                             Shape{2, 0, 2, 4}, Shape{2, 3, 0, 4}, Shape{2, 3, 2, 0}}) {
    SCOPED_TRACE(ToString(shape));
    EXPECT_TRUE(CheckGradients([](const auto& in) { return Rotary(in[0], 100, 3); }, {Leaf(RandomF64(shape, {1}))}));
  }
}

TEST(RotaryTest, TurnsThatAreKeptAreThoseOfTheProblem) {
  constexpr int64_t kLength = 80, kHeads = 2,
                    kSize = 16;  // Enough turns that they are kept, unlike those of one token.
  for (const DType dtype : {DType::kF32, DType::kF64}) {
    const Tensor x = RandomF64({1, kLength, kHeads, kSize}, {1}).To(dtype), dy = RandomF64(x.shape(), {2}).To(dtype);
    for (int round = 0; round < 2; ++round) {
      for (const auto& [base, first] : {std::pair(10000.0, 0), {10000.0, 7}, {500.0, 0}, {500.0, 7}}) {
        Tensor leaf = x.Clone();
        leaf.set_requires_grad();
        const Tensor y = Rotary(leaf, base, first);
        y.Backward(dy);
        const auto row_of = [](const Tensor& all, int64_t t) {
          constexpr int64_t kRow = kHeads * kSize;
          const std::vector<float> values = all.ToVector();
          return Tensor::FromVector(std::vector<float>(values.begin() + t * kRow, values.begin() + (t + 1) * kRow),
                                    {1, 1, kHeads, kSize});
        };
        for (int64_t t = 0; t < kLength; ++t) {
          Tensor row = row_of(x, t).To(dtype);
          row.set_requires_grad();
          const Tensor expected = Rotary(row, base, first + t);
          expected.Backward(row_of(dy, t).To(dtype));
          ExpectClose(row_of(y, t), expected.To(DType::kF32), 1e-6, 1e-6);
          ExpectClose(row_of(leaf.grad(), t), row.grad().To(DType::kF32), 1e-6, 1e-6);
        }
      }
    }
  }
}

TEST(RotaryTest, SameBitsForAnyNumberOfThreads) {
  for (const DType dtype : {DType::kF32, DType::kF64}) {
    const Tensor x = RandomF64({3, 500, 2, 24}, {1}).To(dtype);
    const test::ScopedNumThreads one(1);
    const Tensor expected = Rotary(x);
    for (const int threads : {2, 3}) {
      const test::ScopedNumThreads scope(threads);
      ExpectBitEqual(Rotary(x), expected);
    }
  }
}

TEST(RotaryTest, Errors) {
  EXPECT_THAT([] { Rotary(Tensor()); }, ThrowsMessage<Error>(HasSubstr("Rotary: x is undefined")));
  EXPECT_THAT(
      [] {
        Rotary(test::I32({1, 2}, {1, 1, 1, 2}));
      },
      ThrowsMessage<Error>(HasSubstr("Rotary: x has dtype i32")));
  EXPECT_THAT(
      [] {
        Rotary(Tensor::Zeros({1, 2, 3, 5}));
      },
      ThrowsMessage<Error>(
          HasSubstr("Rotary: x has shape [1, 2, 3, 5], expected [batch, T, heads, head_size] with an even head_size")));
  EXPECT_THAT(
      [] {
        Rotary(Tensor::Zeros({2, 3, 4}));
      },
      ThrowsMessage<Error>(HasSubstr("Rotary: x has shape [2, 3, 4], expected [batch, T, heads, head_size]")));
  const Tensor x = Tensor::Zeros({1, 2, 3, 4});
  EXPECT_THAT([&] { Rotary(x, 0); }, ThrowsMessage<Error>(HasSubstr("Rotary: base 0, expected a finite number above")));
  EXPECT_THAT([&] { Rotary(x, std::numeric_limits<double>::quiet_NaN()); },
              ThrowsMessage<Error>(HasSubstr("Rotary: base nan")));
  EXPECT_THAT([&] { Rotary(x, 10, -1); },
              ThrowsMessage<Error>(HasSubstr("Rotary: first position -1, expected at least 0")));
}

}  // namespace
}  // namespace twofour
