#include "twofour/core/kernels/rows/softmax_loops.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "twofour/core/kernels/rows/softmax.h"

#include "tests/support/awkward_floats.h"
#include "tests/support/for_each_isa.h"
#include "tests/support/tensors.h"

namespace twofour::kernels {
namespace {

using test::AwkwardFloats;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInfinity = std::numeric_limits<float>::infinity();
constexpr float kGuard = 12345;

std::vector<float> Logits(int64_t n, uint32_t stream, float spread) {
  RandomSequence random({.seed = 1, .stream = stream});
  std::vector<float> x(static_cast<size_t>(n));
  for (float& value : x) value = random.Uniform(-spread, spread);
  return x;
}

/// log of the sum of exp(x), in double.
double LogSumExp(const std::vector<float>& x) {
  const double highest = static_cast<double>(*std::max_element(x.begin(), x.end()));
  double sum = 0;
  for (const float value : x) sum += std::exp(static_cast<double>(value) - highest);
  return highest + std::log(sum);
}

TEST(SoftmaxLoopsTest, AgreesWithDoubleForEveryLength) {
  test::ForEachIsa([](Isa) {
    for (int64_t n = 1; n <= 70; ++n) {
      for (const float spread : {0.1f, 5.0f, 60.0f, 1000.0f}) {
        SCOPED_TRACE(::testing::Message() << n << ", up to " << spread);
        const auto x = Logits(n, static_cast<uint32_t>(n), spread);
        const double log_sum = LogSumExp(x);
        std::vector<float> y(x.size() + 1, kGuard), log_y = y;
        loops::Softmax(n, x.data(), y.data());
        loops::LogSoftmax(n, x.data(), log_y.data());
        for (size_t i = 0; i < x.size(); ++i) {
          const double expected = static_cast<double>(x[i]) - log_sum;
          // The larger the distance from x to the maximum, the more its rounding to f32 changes the exponential.
          ASSERT_NEAR(static_cast<double>(y[i]), std::exp(expected),
                      1e-6 * (1 + std::fabs(expected)) * std::exp(expected) + 1e-37);
          ASSERT_NEAR(static_cast<double>(log_y[i]), expected, 3e-7 * (1 + std::fabs(expected)));
        }
        ASSERT_EQ(y.back(), kGuard);
        ASSERT_EQ(log_y.back(), kGuard);
      }
    }
  });
}

TEST(SoftmaxLoopsTest, GradientsAgreeWithDoubleForEveryLength) {
  test::ForEachIsa([](Isa) {
    for (int64_t n = 1; n <= 70; ++n) {
      SCOPED_TRACE(n);
      const auto dy = Logits(n, 1000 + static_cast<uint32_t>(n), 1);
      std::vector<float> y = Logits(n, static_cast<uint32_t>(n), 5), log_y = y;
      loops::Softmax(n, y.data(), y.data());
      loops::LogSoftmax(n, log_y.data(), log_y.data());
      double dot = 0, sum = 0;
      for (size_t i = 0; i < y.size(); ++i) {
        dot += static_cast<double>(y[i]) * static_cast<double>(dy[i]);
        sum += static_cast<double>(dy[i]);
      }
      std::vector<float> dx(y.size() + 1, kGuard), log_dx = dx, scaled = dx;
      loops::SoftmaxGrad(n, y.data(), dy.data(), dx.data());
      loops::LogSoftmaxGrad(n, log_y.data(), dy.data(), log_dx.data());
      loops::ScaledExp(n, 0, 0.25f, log_y.data(), scaled.data());
      for (size_t i = 0; i < y.size(); ++i) {
        const double probability = std::exp(static_cast<double>(log_y[i]));
        ASSERT_NEAR(static_cast<double>(dx[i]), static_cast<double>(y[i]) * (static_cast<double>(dy[i]) - dot), 1e-6);
        ASSERT_NEAR(static_cast<double>(log_dx[i]), static_cast<double>(dy[i]) - probability * sum, 1e-5);
        ASSERT_NEAR(static_cast<double>(scaled[i]), 0.25 * probability, 1e-6 * probability);
      }
      ASSERT_EQ(dx.back(), kGuard);
      ASSERT_EQ(log_dx.back(), kGuard);
      ASSERT_EQ(scaled.back(), kGuard);
    }
  });
}

TEST(SoftmaxLoopsTest, ANanSpoilsItsRowWhereverItIs) {
  test::ForEachIsa([](Isa) {
    for (int64_t n = 1; n <= 40; ++n) {
      for (int64_t bad = 0; bad < n; ++bad) {
        for (const float value : {kNan, kInfinity}) {
          auto x = Logits(n, 1, 200);
          x[static_cast<size_t>(bad)] = value;
          std::vector<float> y(x.size()), log_y(x.size());
          loops::Softmax(n, x.data(), y.data());
          loops::LogSoftmax(n, x.data(), log_y.data());
          for (size_t i = 0; i < x.size(); ++i) {
            ASSERT_TRUE(std::isnan(y[i])) << value << " at " << bad << " of " << n << ", element " << i;
            ASSERT_TRUE(std::isnan(log_y[i])) << value << " at " << bad << " of " << n << ", element " << i;
          }
        }
      }
    }
  });
}

TEST(SoftmaxLoopsTest, NegativeInfinityHasProbabilityZero) {
  test::ForEachIsa([](Isa) {
    for (int64_t n = 2; n <= 40; ++n) {
      std::vector<float> x(static_cast<size_t>(n), -kInfinity), y(x.size()), log_y(x.size()), probability(x.size());
      x[static_cast<size_t>(n / 2)] = -3;
      loops::Softmax(n, x.data(), y.data());
      loops::LogSoftmax(n, x.data(), log_y.data());
      loops::ScaledExp(n, 0, 1, log_y.data(), probability.data());
      for (size_t i = 0; i < x.size(); ++i) {
        const bool certain = i == static_cast<size_t>(n / 2);
        ASSERT_EQ(y[i], certain ? 1.0f : 0.0f);
        ASSERT_EQ(log_y[i], certain ? 0.0f : -kInfinity);
        ASSERT_EQ(probability[i], certain ? 1.0f : 0.0f);
      }
    }
  });
}

TEST(SoftmaxLoopsTest, ThreadsDoNotMatter) {
  constexpr int64_t kRows = 150, kCols = 701;
  const auto x = Logits(kRows * kCols, 2, 5), dy = Logits(kRows * kCols, 3, 1);
  const std::vector<int32_t> targets(kRows, 7);
  test::ForEachIsa([&](Isa) {
    std::vector<float> expected;
    for (const int threads : {1, 2, 3}) {
      const test::ScopedNumThreads scope(threads);
      std::vector<float> y(x.size()), dx(x.size()), log_y(x.size()), log_dx(x.size()), loss_dx(x.size());
      Softmax(kRows, kCols, x.data(), y.data());
      SoftmaxGrad(kRows, kCols, y.data(), dy.data(), dx.data());
      LogSoftmax(kRows, kCols, x.data(), log_y.data());
      LogSoftmaxGrad(kRows, kCols, log_y.data(), dy.data(), log_dx.data());
      CrossEntropyGrad(kRows, kCols, log_y.data(), targets.data(), -1, 0.5f, loss_dx.data());
      std::vector<float> all;
      for (const auto* part : {&y, &dx, &log_y, &log_dx, &loss_dx}) all.insert(all.end(), part->begin(), part->end());
      if (expected.empty()) expected = all;
      ASSERT_EQ(all, expected) << threads << " threads";
    }
  });
}

}  // namespace
}  // namespace twofour::kernels
