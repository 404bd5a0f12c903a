#include "twofour/core/kernels/attention/attention_loops.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "twofour/core/random.h"

#include "tests/support/for_each_isa.h"

namespace twofour::kernels {
namespace {

using loops::ScoreBlock;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInfinity = std::numeric_limits<float>::infinity();
constexpr int64_t kRows = 5, kStride = 80, kWidth = 7;
constexpr float kScale = 0.5f;

std::vector<float> Numbers(int64_t n, uint32_t stream, float spread) {
  RandomSequence random({.seed = 1, .stream = stream});
  std::vector<float> x(static_cast<size_t>(n));
  for (float& value : x) value = random.Uniform(-spread, spread);
  return x;
}

/// Blocks of every width: wholly visible, below a diagonal, in windows, and with some rows that see nothing.
std::vector<ScoreBlock> Blocks() {
  std::vector<ScoreBlock> blocks;
  for (int64_t cols = 1; cols <= 70; ++cols) {
    for (const auto& [low, high] : {std::pair<int64_t, int64_t>{-200, 200},
                                    {-200, 1},
                                    {-200, cols - 3},
                                    {1, 200},
                                    {-2, 1},
                                    {cols / 2 - 3, cols / 2 + 9},
                                    {-200, -2},
                                    {cols - 2, 200},
                                    {-9, cols}}) {
      blocks.push_back({.rows = kRows, .cols = cols, .low = low, .high = high, .stride = kStride});
    }
  }
  return blocks;
}

bool IsSeen(const ScoreBlock& block, int64_t row, int64_t col) {
  return row + block.low <= col && col < row + block.high;
}

std::string Name(const ScoreBlock& block) {
  return std::to_string(block.cols) + " columns from " + std::to_string(block.low) + " to " +
         std::to_string(block.high);
}

/// Random scores, with NaN wherever nothing is seen, because what is there must not matter.
std::vector<float> Scores(const ScoreBlock& block, uint32_t stream, float spread) {
  auto scores = Numbers(kRows * kStride, stream, spread);
  for (int64_t r = 0; r < kRows; ++r) {
    for (int64_t c = 0; c < kStride; ++c) {
      if (c >= block.cols || !IsSeen(block, r, c)) scores[static_cast<size_t>(r * kStride + c)] = kNan;
    }
  }
  return scores;
}

TEST(AttentionLoopsTest, OnlineSoftmaxOfTwoBlocksIsTheSoftmaxOfBoth) {
  test::ForEachIsa([](Isa) {
    for (const ScoreBlock& block : Blocks()) {
      for (const float spread : {1.0f, 20.0f, 1000.0f}) {
        SCOPED_TRACE(::testing::Message() << Name(block) << ", up to " << spread);
        const ScoreBlock whole{.rows = kRows, .cols = 9, .low = -100, .high = 100, .stride = kStride};
        const auto first = Scores(whole, 1, spread), second = Scores(block, 2, spread);
        auto first_weights = first, second_weights = second;
        std::vector<float> highest(kRows, -kInfinity), sum(kRows, 0), result(kRows * kWidth, 0);
        loops::OnlineSoftmax(whole, kScale, first_weights.data(), highest.data(), sum.data(), kWidth, result.data());
        const std::vector<float> highest_first = highest;
        std::fill(result.begin(), result.end(), 3.0f);
        loops::OnlineSoftmax(block, kScale, second_weights.data(), highest.data(), sum.data(), kWidth, result.data());
        for (int64_t r = 0; r < kRows; ++r) {
          const auto row = static_cast<size_t>(r);
          double top = -std::numeric_limits<double>::infinity(), total = 0;
          const auto for_each = [&](auto function) {
            for (int64_t c = 0; c < 9; ++c) function(kScale * first[row * kStride + static_cast<size_t>(c)]);
            for (int64_t c = 0; c < block.cols; ++c) {
              if (IsSeen(block, r, c)) function(kScale * second[row * kStride + static_cast<size_t>(c)]);
            }
          };
          for_each([&](float x) { top = std::max(top, static_cast<double>(x)); });
          for_each([&](float x) { total += std::exp(static_cast<double>(x) - top); });
          ASSERT_EQ(static_cast<double>(highest[row]), top);
          ASSERT_NEAR(static_cast<double>(sum[row]), total, 3e-6 * total);
          const double shrink = std::exp(static_cast<double>(highest_first[row]) - top);
          for (int64_t i = 0; i < kWidth; ++i) {
            const auto at = row * kWidth + static_cast<size_t>(i);
            ASSERT_NEAR(static_cast<double>(result[at]), 3 * shrink, 3e-6 * shrink + 1e-37);
          }
          for (int64_t c = 0; c < block.cols; ++c) {
            const size_t at = row * kStride + static_cast<size_t>(c);
            const double expected =
                IsSeen(block, r, c) ? std::exp(static_cast<double>(kScale * second[at]) - top) : 0.0;
            ASSERT_NEAR(static_cast<double>(second_weights[at]), expected, 3e-6 * expected + 1e-37) << r << ", " << c;
          }
        }
      }
    }
  });
}

TEST(AttentionLoopsTest, ProbabilitiesAndGradsAgreeWithDouble) {
  test::ForEachIsa([](Isa) {
    for (const ScoreBlock& block : Blocks()) {
      SCOPED_TRACE(Name(block));
      const auto scores = Scores(block, 1, 6), grads = Scores(block, 2, 1);
      const auto log_sum = Numbers(kRows, 3, 2), mean = Numbers(kRows, 4, 1);
      auto p = scores, only_p = scores, ds = grads;
      loops::SoftmaxFromLogSum(block, kScale, log_sum.data(), mean.data(), p.data(), ds.data());
      loops::SoftmaxFromLogSum(block, kScale, log_sum.data(), nullptr, only_p.data(), nullptr);
      for (int64_t r = 0; r < kRows; ++r) {
        for (int64_t c = 0; c < block.cols; ++c) {
          const auto row = static_cast<size_t>(r), at = row * kStride + static_cast<size_t>(c);
          ASSERT_EQ(only_p[at], p[at]);
          if (!IsSeen(block, r, c)) {
            ASSERT_EQ(p[at], 0);
            ASSERT_EQ(ds[at], 0);
            continue;
          }
          const double expected = std::exp(0.5 * static_cast<double>(scores[at]) - static_cast<double>(log_sum[row]));
          ASSERT_NEAR(static_cast<double>(p[at]), expected, 3e-6 * expected);
          ASSERT_NEAR(static_cast<double>(ds[at]),
                      expected * (static_cast<double>(grads[at]) - static_cast<double>(mean[row])) * 0.5,
                      3e-6 * expected);
        }
      }
    }
  });
}

TEST(AttentionLoopsTest, ScoresOfMinusInfinityWeighNothing) {
  test::ForEachIsa([](Isa) {
    const ScoreBlock block{.rows = 1, .cols = 11, .low = -50, .high = 50, .stride = kStride};
    std::vector<float> scores(kStride, -kInfinity), later(kStride, 2.0f);
    std::vector<float> highest = {-kInfinity}, sum = {0}, result(kWidth, 0);
    loops::OnlineSoftmax(block, kScale, scores.data(), highest.data(), sum.data(), kWidth, result.data());
    EXPECT_EQ(sum[0], 0);
    for (int64_t c = 0; c < block.cols; ++c) ASSERT_EQ(scores[static_cast<size_t>(c)], 0);
    loops::OnlineSoftmax(block, kScale, later.data(), highest.data(), sum.data(), kWidth, result.data());
    EXPECT_EQ(highest[0], 1);
    EXPECT_EQ(sum[0], 11);
    EXPECT_EQ(result, std::vector<float>(kWidth, 0));
  });
}

TEST(AttentionLoopsTest, ANanSpoilsItsRowWhereverItIs) {
  test::ForEachIsa([](Isa) {
    for (int64_t cols = 1; cols <= 40; ++cols) {
      for (int64_t bad = 0; bad < cols; ++bad) {
        const ScoreBlock block{.rows = 1, .cols = cols, .low = -50, .high = 50, .stride = kStride};
        auto scores = Numbers(kStride, 1, 5);
        scores[static_cast<size_t>(bad)] = kNan;
        std::vector<float> highest = {-kInfinity}, sum = {0}, result(kWidth, 0);
        loops::OnlineSoftmax(block, kScale, scores.data(), highest.data(), sum.data(), kWidth, result.data());
        auto later = Numbers(kStride, 2, 5);
        loops::OnlineSoftmax(block, kScale, later.data(), highest.data(), sum.data(), kWidth, result.data());
        ASSERT_TRUE(std::isnan(sum[0])) << bad << " of " << cols;
      }
    }
  });
}

}  // namespace
}  // namespace twofour::kernels
