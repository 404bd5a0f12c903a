// The loss of a head on activations of bf16, whose gradient of the logits is rounded.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "twofour/core/ops/linear_cross_entropy.h"

#include "tests/support/tensors.h"

namespace twofour {
namespace {

using test::ExpectBitEqual;
using test::RandomF32;
using test::RandomIndices;
using test::ScopedNumThreads;

using Options = LinearCrossEntropyOptions;

constexpr int64_t kRows = 23, kFeatures = 37, kClasses = 45;
/// A rounding to bf16 changes a number by at most this share of it.
constexpr double kRounding = 0x1p-8;

/// A weight of f32 that rounding to bf16 does not change.
Tensor RandomRounded(const Shape& shape, const RandomKey& key) {
  return RandomF32(shape, key).To(DType::kBF16).To(DType::kF32);
}

struct Result {
  Tensor loss, dx, dweight;
};

Result LossAndGradients(const Tensor& x, const Tensor& weight, const Tensor& targets, const Options& options,
                        double upstream) {
  Tensor x_leaf = x.Clone(), weight_leaf = weight.Clone();
  x_leaf.set_requires_grad();
  weight_leaf.set_requires_grad();
  const Tensor loss = LinearCrossEntropy(x_leaf, weight_leaf, targets, options);
  loss.Backward(Tensor::Scalar(upstream, loss.dtype()));
  return {loss.Detach(), x_leaf.grad(), weight_leaf.grad()};
}

/// The gradient of the logits [rows, classes] in double.
std::vector<double> LogitsGradient(const Tensor& x, const Tensor& weight, const Tensor& targets, double cap,
                                   double factor) {
  const Tensor a = x.To(DType::kF64), b = weight.To(DType::kF64);
  std::vector<double> gradient;
  for (int64_t r = 0; r < kRows; ++r) {
    std::vector<double> y(kClasses), slope(kClasses, 1);
    for (int64_t c = 0; c < kClasses; ++c) {
      for (int64_t f = 0; f < kFeatures; ++f) {
        y[c] += a.data<double>()[r * kFeatures + f] * b.data<double>()[c * kFeatures + f];
      }
      if (cap > 0) {
        const double tanh = std::tanh(y[c] / cap);
        y[c] = cap * tanh;
        slope[c] = 1 - tanh * tanh;
      }
    }
    const double highest = *std::max_element(y.begin(), y.end());
    double sum = 0;
    for (const double value : y) sum += std::exp(value - highest);
    for (int64_t c = 0; c < kClasses; ++c) {
      const double one = targets.data<int32_t>()[r] == c ? 1 : 0;
      gradient.push_back(factor * slope[c] * (std::exp(y[c] - highest) / sum - one));
    }
  }
  return gradient;
}

/// Expects what `roundings` roundings of the terms and of the sum may have changed, and what f32 loses beside them.
void ExpectWithin(double actual, double expected, double sum_of_sizes, double roundings) {
  ASSERT_NEAR(actual, expected, (roundings * kRounding + 1e-4) * sum_of_sizes);
}

TEST(LinearCrossEntropyBf16Test, GradientsAreWithinTheBoundOfTheDefinition) {
  const Tensor x = RandomF32({kRows, kFeatures}, {1}).To(DType::kBF16),
               weight = RandomRounded({kClasses, kFeatures}, {2});
  const Tensor targets = RandomIndices({kRows}, kClasses, {3}), wide_x = x.To(DType::kF32);
  for (const double cap : {0.0, 2.0}) {
    for (const int64_t chunk_rows : {0, 7}) {
      for (const double upstream : {1.0, -2.6}) {
        SCOPED_TRACE(::testing::Message() << "cap " << cap << ", chunks of " << chunk_rows << ", times " << upstream);
        const Result result =
            LossAndGradients(x, weight, targets, {.soft_cap = cap, .chunk_rows = chunk_rows}, upstream);
        ASSERT_EQ(result.dx.dtype(), DType::kBF16);
        ASSERT_EQ(result.dweight.dtype(), DType::kF32);
        const std::vector<double> g = LogitsGradient(x, weight, targets, cap, upstream / kRows);
        const Tensor dx = result.dx.To(DType::kF32);
        for (int64_t f = 0; f < kFeatures; ++f) {
          for (int64_t r = 0; r < kRows; ++r) {
            double sum = 0, sizes = 0;
            for (int64_t c = 0; c < kClasses; ++c) {
              const double term = g[r * kClasses + c] * static_cast<double>(weight.data<float>()[c * kFeatures + f]);
              sum += term;
              sizes += std::fabs(term);
            }
            ExpectWithin(dx.data<float>()[r * kFeatures + f], sum, sizes, upstream == 1 ? 2 : 3);
          }
          for (int64_t c = 0; c < kClasses; ++c) {
            double sum = 0, sizes = 0;
            for (int64_t r = 0; r < kRows; ++r) {
              const double term = g[r * kClasses + c] * static_cast<double>(wide_x.data<float>()[r * kFeatures + f]);
              sum += term;
              sizes += std::fabs(term);
            }
            ExpectWithin(result.dweight.data<float>()[c * kFeatures + f], sum, sizes, 1);
          }
        }
      }
    }
  }
}

TEST(LinearCrossEntropyBf16Test, TheLossIsThatOfTheSameNumbersInF32) {
  const Tensor x = RandomF32({2, 9, kFeatures}, {1}).To(DType::kBF16),
               weight = RandomRounded({kClasses, kFeatures}, {2});
  const Tensor targets = RandomIndices({2, 9}, kClasses, {3});
  for (const double cap : {0.0, 2.0}) {
    const Tensor loss = LinearCrossEntropy(x, weight, targets, {.soft_cap = cap});
    EXPECT_EQ(loss.dtype(), DType::kF32);
    // Sums may have another order.
    EXPECT_NEAR(loss.item(), LinearCrossEntropy(x.To(DType::kF32), weight, targets, {.soft_cap = cap}).item(), 1e-5);
  }
}

TEST(LinearCrossEntropyBf16Test, WithoutARowGradientsAreZero) {
  const Tensor x = Tensor::Empty({0, 4}, DType::kBF16), weight = RandomF32({3, 4}, {2});
  const Result result = LossAndGradients(x, weight, Tensor::Empty({0}, DType::kI32), {}, 1);
  EXPECT_EQ(result.loss.item(), 0);
  ExpectBitEqual(result.dx, x);
  ExpectBitEqual(result.dweight, Tensor::Zeros({3, 4}));
}

TEST(LinearCrossEntropyBf16Test, SameBitsForAnyNumberOfThreads) {
  const Tensor x = RandomF32({300, 33}, {1}).To(DType::kBF16), weight = RandomF32({1031, 33}, {2});
  const Tensor targets = RandomIndices({300}, 1031, {3});
  for (const Options& options : {Options{.soft_cap = 15}, Options{.chunk_rows = 77}}) {
    std::vector<Result> results;
    for (const int threads : {1, 2, 3, 8}) {
      const ScopedNumThreads scope(threads);
      results.push_back(LossAndGradients(x, weight, targets, options, 0.3));
      ExpectBitEqual(results.back().loss, results[0].loss);
      ExpectBitEqual(results.back().dx, results[0].dx);
      ExpectBitEqual(results.back().dweight, results[0].dweight);
    }
  }
}

}  // namespace
}  // namespace twofour
