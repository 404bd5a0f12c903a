#include "twofour/core/kernels/elements/reduce_loops.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "twofour/core/kernels/elements/reduce.h"

#include "tests/support/awkward_floats.h"
#include "tests/support/for_each_isa.h"
#include "tests/support/tensors.h"

namespace twofour::kernels {
namespace {

using test::AwkwardFloats;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInfinity = std::numeric_limits<float>::infinity();

/// The documented order: partial sum j adds elements j, j + 16, ..., and then halves are added until one sum is left.
template <typename Term>
double InDocumentedOrder(int64_t n, Term term) {
  std::vector<double> partial(16);
  for (int64_t i = 0; i < n; ++i) partial[static_cast<size_t>(i % 16)] += term(static_cast<size_t>(i));
  while (partial.size() > 1) {
    const size_t half = partial.size() / 2;
    for (size_t j = 0; j < half; ++j) partial[j] += partial[half + j];
    partial.resize(half);
  }
  return partial[0];
}

TEST(ReduceLoopsTest, SumsAreThoseOfTheDocumentedOrderOnEveryInstructionSet) {
  constexpr double kCenter = 0.1;
  test::ForEachIsa([](Isa) {
    for (int64_t n = 0; n <= 70; ++n) {
      SCOPED_TRACE(n);
      const auto x = AwkwardFloats(n + 1, {.seed = 1, .stream = static_cast<uint32_t>(n)}, false);
      const auto y = AwkwardFloats(n + 3, {.seed = 2, .stream = static_cast<uint32_t>(n)}, false);
      const float *a = x.data() + 1, *b = y.data() + 3;  // Not aligned to vectors.
      const auto at = [](const float* values, size_t i) { return static_cast<double>(values[i]); };
      EXPECT_EQ(loops::Sum(n, a), InDocumentedOrder(n, [&](size_t i) { return at(a, i); }));
      EXPECT_EQ(loops::SumOfSquares(n, a), InDocumentedOrder(n, [&](size_t i) { return at(a, i) * at(a, i); }));
      EXPECT_EQ(loops::Dot(n, a, b), InDocumentedOrder(n, [&](size_t i) { return at(a, i) * at(b, i); }));
      EXPECT_EQ(loops::SumOfSquaredDifferences(n, a, b),
                InDocumentedOrder(n, [&](size_t i) { return (at(a, i) - at(b, i)) * (at(a, i) - at(b, i)); }));
      EXPECT_EQ(loops::SumOfSquaredDeviations(n, kCenter, a),
                InDocumentedOrder(n, [&](size_t i) { return (at(a, i) - kCenter) * (at(a, i) - kCenter); }));
    }
  });
}

TEST(ReduceLoopsTest, SumsPassOnNanAndInfinity) {
  test::ForEachIsa([](Isa) {
    for (int64_t n = 1; n <= 40; ++n) {
      for (int64_t bad = 0; bad < n; ++bad) {
        std::vector<float> x(static_cast<size_t>(n), 1.0f);
        x[static_cast<size_t>(bad)] = kNan;
        EXPECT_TRUE(std::isnan(loops::Sum(n, x.data())));
        EXPECT_TRUE(std::isnan(loops::SumOfSquares(n, x.data())));
        EXPECT_TRUE(std::isnan(loops::Dot(n, x.data(), x.data())));
        x[static_cast<size_t>(bad)] = -kInfinity;
        EXPECT_EQ(loops::Sum(n, x.data()), -std::numeric_limits<double>::infinity());
        EXPECT_EQ(loops::SumOfSquares(n, x.data()), std::numeric_limits<double>::infinity());
      }
    }
  });
}

TEST(ReduceLoopsTest, RowDotsAreTheDotsOfTheRows) {
  test::ForEachIsa([](Isa) {
    for (int64_t cols = 0; cols <= 70; ++cols) {
      constexpr int64_t kRows = 3, kStride = 2;
      const auto stream = static_cast<uint32_t>(cols);
      const auto a = AwkwardFloats(kRows * cols + 1, {.seed = 6, .stream = stream}, false);
      const auto b = AwkwardFloats(kRows * cols + 1, {.seed = 7, .stream = stream}, false);
      const std::vector<BFloat16> half_a(a.begin(), a.end()), half_b(b.begin(), b.end());
      const std::vector<float> wide_b(half_b.begin(), half_b.end());
      std::vector<float> dots(kRows * kStride, 7), half_dots = dots;
      loops::RowDots(kRows, cols, a.data() + 1, b.data() + 1, dots.data(), kStride);
      loops::RowDots(kRows, cols, half_a.data() + 1, half_b.data() + 1, half_dots.data(), kStride);
      for (int64_t r = 0; r < kRows; ++r) {
        const int64_t at = 1 + r * cols;
        const auto i = static_cast<size_t>(r * kStride);
        EXPECT_EQ(dots[i], static_cast<float>(loops::Dot(cols, a.data() + at, b.data() + at)));
        EXPECT_EQ(half_dots[i], static_cast<float>(loops::Dot(cols, half_a.data() + at, wide_b.data() + at)));
        EXPECT_EQ(dots[i + 1], 7);
      }
    }
  });
}

TEST(ReduceLoopsTest, CountNonZeroCountsAllButZerosOfBothSigns) {
  test::ForEachIsa([](Isa) {
    for (int64_t n = 0; n <= 70; ++n) {
      const auto x = AwkwardFloats(n + 1, {.seed = 3, .stream = static_cast<uint32_t>(n)}, true);
      int64_t expected = 0;
      for (int64_t i = 0; i < n; ++i) expected += !(x[static_cast<size_t>(i + 1)] == 0.0f);
      EXPECT_EQ(loops::CountNonZero(n, x.data() + 1), expected) << n;
    }
  });
}

TEST(ReduceLoopsTest, AllFiniteSeesEveryPosition) {
  test::ForEachIsa([](Isa) {
    for (int64_t n = 0; n <= 70; ++n) {
      std::vector<float> x(static_cast<size_t>(n + 2), std::numeric_limits<float>::max());
      x.front() = x.back() = kNan;  // These two are outside of the range.
      ASSERT_TRUE(loops::AllFinite(n, x.data() + 1)) << n;
      for (int64_t bad = 0; bad < n; ++bad) {
        for (const float value : {kNan, -kNan, kInfinity, -kInfinity}) {
          auto copy = x;
          copy[static_cast<size_t>(bad + 1)] = value;
          ASSERT_FALSE(loops::AllFinite(n, copy.data() + 1)) << value << " at " << bad << " of " << n;
        }
      }
    }
  });
}

TEST(ReduceLoopsTest, AddRowsToAddsToWhatIsThere) {
  test::ForEachIsa([](Isa) {
    for (int64_t rows = 0; rows <= 9; ++rows) {
      for (int64_t cols = 0; cols <= 35; ++cols) {
        const int64_t stride = cols + 3;
        const auto matrix = AwkwardFloats(rows * stride + 1, {.seed = 4, .stream = static_cast<uint32_t>(cols)}, false);
        std::vector<double> sums(static_cast<size_t>(cols + 1), 0.5), expected = sums;
        for (int64_t r = 0; r < rows; ++r) {
          // The numbers are multiples of 2^-33 below 2^9, so their sums are exact in double in any order.
          for (int64_t c = 0; c < cols; ++c) expected[c] += static_cast<double>(matrix[1 + r * stride + c]);
        }
        loops::AddRowsTo(rows, cols, stride, matrix.data() + 1, sums.data());
        for (size_t c = 0; c < sums.size(); ++c) {
          ASSERT_NEAR(sums[c], expected[c], 1e-12 * (1 + std::fabs(expected[c]))) << rows << " x " << cols;
        }
      }
    }
  });
}

TEST(ReduceLoopsTest, SameBitsForEveryInstructionSetAndNumberOfThreads) {
  constexpr int64_t kSize = 3 * 8192 + 4099;
  const auto a = AwkwardFloats(kSize, {.seed = 5}, false), b = AwkwardFloats(kSize, {.seed = 6}, false);
  struct Shape2 {
    int64_t rows, cols;
  };
  std::vector<double> expected;
  test::ForEachIsa([&](Isa) {
    for (const int threads : {1, 2, 3}) {
      const test::ScopedNumThreads scope(threads);
      std::vector<double> results = {Sum(kSize, a.data()), SumOfSquares(kSize, a.data()),
                                     SumOfSquaredDifferences(kSize, a.data(), b.data()),
                                     static_cast<double>(CountNonZero(kSize, a.data()))};
      for (const auto& [rows, cols] : {Shape2{kSize / 5, 5}, Shape2{5, kSize / 5}, Shape2{300, 90}, Shape2{13, 2100}}) {
        std::vector<float> sums(static_cast<size_t>(cols));
        ColumnSums(rows, cols, a.data(), sums.data());
        results.insert(results.end(), sums.begin(), sums.end());
      }
      if (expected.empty()) expected = results;
      ASSERT_EQ(results, expected) << threads << " threads";
    }
  });
}

TEST(ReduceLoopsTest, FindNonFiniteNamesTheFirst) {
  test::ForEachIsa([](Isa) {
    std::vector<float> x(40'000, 1.0f);
    EXPECT_EQ(FindNonFinite<float>(40'000, x.data()), -1);
    for (const int64_t at : {39'999, 20'001, 8192, 3, 0}) {
      x[static_cast<size_t>(at)] = at % 2 == 0 ? kNan : kInfinity;
      EXPECT_EQ(FindNonFinite<float>(40'000, x.data()), at);
    }
  });
}

}  // namespace
}  // namespace twofour::kernels
