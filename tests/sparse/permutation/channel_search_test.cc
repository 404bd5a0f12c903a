#include "twofour/sparse/permutation/channel_search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "twofour/core/random.h"
#include "twofour/sparse/mask.h"
#include "twofour/sparse/permutation/pattern_mask.h"

#include "tests/support/expect_error.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using test::F32;
using test::RandomF32;
using test::ScopedNumThreads;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr VnmPattern kPlain{.m = kPlainColumns}, kPlainRows{.m = kPlainColumns, .inner = VnmInner::kRows};

/// Normal numbers in which rows and columns differ in size, as in trained weights.
Tensor Uneven(int64_t rows, int64_t cols, uint64_t seed) {
  RandomSequence random({seed, 0, 0});
  std::vector<float> of_row(static_cast<size_t>(rows)), of_column(static_cast<size_t>(cols));
  for (float& x : of_row) x = std::exp(0.5f * random.Normal());
  for (float& x : of_column) x = std::exp(0.5f * random.Normal());
  Tensor scores = Tensor::Empty({rows, cols});
  float* out = scores.mutable_data<float>();
  for (const float row : of_row) {
    for (const float column : of_column) *out++ = row * column * random.Normal();
  }
  return scores;
}

double Kept(const Tensor& scores, const VnmPattern& pattern) {
  return RetainedL1(scores, FindPatternMask(scores, pattern));
}

/// An MLP: c_fc [hidden, in] and c_proj [out, hidden] share the order 0 of hidden units; order 1 is that of inputs.
std::vector<OrderedScores> MlpScores(int64_t in, int64_t hidden, int64_t out, uint64_t seed) {
  return {{.name = "c_fc", .scores = Uneven(hidden, in, seed), .row_order = 0, .column_order = 1},
          {.name = "c_proj", .scores = Uneven(out, hidden, seed + 1), .row_order = {}, .column_order = 0}};
}

TEST(ChannelSearchTest, EveryMatrixKeepsMoreAndTheOrdersSayHow) {
  for (const VnmPattern& pattern : {kPlain, kPlainRows, VnmPattern{.v = 16, .m = 8},
                                    VnmPattern{.v = 4, .m = 5, .inner = VnmInner::kRows}, VnmPattern{.v = 8, .m = 7}}) {
    SCOPED_TRACE(PatternName(pattern));
    const std::vector<OrderedScores> matrices = MlpScores(32, 64, 24, 5);
    const std::vector<int64_t> sizes = {64, 32};
    const ChannelSearchResult found = FindChannelOrders(matrices, sizes, {.pattern = pattern});
    ASSERT_EQ(found.orders.size(), 2u);
    for (size_t i = 0; i < 2; ++i) RequireOrder(found.orders[i], sizes[i], "order");
    const Tensor c_fc = Reordered(Reordered(matrices[0].scores, 0, found.orders[0]), 1, found.orders[1]);
    const Tensor c_proj = Reordered(matrices[1].scores, 1, found.orders[0]);
    const auto near = [](double value) { return ::testing::DoubleNear(value, 1e-6); };
    EXPECT_THAT(found.kept_before,
                ElementsAre(near(Kept(matrices[0].scores, pattern)), near(Kept(matrices[1].scores, pattern))));
    EXPECT_THAT(found.kept_after, ElementsAre(near(Kept(c_fc, pattern)), near(Kept(c_proj, pattern))));
    EXPECT_GT(found.kept_after[0], found.kept_before[0] + 0.005);
    EXPECT_GT(found.kept_after[1], found.kept_before[1] + 0.005);
  }
}

/// Of 8 columns there are 35 ways to make two groups of four. The search finds the best or comes close.
TEST(ChannelSearchTest, ComesCloseToTheBestOfAllOrders) {
  for (const VnmPattern& pattern : {kPlain, kPlainRows}) {
    SCOPED_TRACE(PatternName(pattern));
    double before = 0, found = 0, best = 0;
    for (uint64_t seed = 0; seed < 20; ++seed) {
      const Tensor scores = Uneven(4, 8, 100 + seed);
      const ChannelSearchResult result =
          FindChannelOrders({{.name = "w", .scores = scores, .row_order = {}, .column_order = 0}},
                            std::vector<int64_t>{8}, {.pattern = pattern, .rounds = 5, .seed = seed});
      double most = 0;
      for (uint32_t set = 0; set < 256; ++set) {
        ChannelOrder order;
        for (const uint32_t in : {1u, 0u}) {
          for (int64_t col = 0; col < 8; ++col) {
            if ((set >> col & 1) == in) order.push_back(col);
          }
        }
        if (std::popcount(set) == 4) most = std::max(most, Kept(Reordered(scores, 1, order), pattern));
      }
      EXPECT_LE(result.kept_after[0], most + 1e-6);
      before += result.kept_before[0];
      found += result.kept_after[0];
      best += most;
    }
    EXPECT_GT(found - before, 0.8 * (best - before));
  }
}

/// Each block of rows uses half of the columns, alike, and in the given order groups hold columns of one half only. In
/// the best order, each group has four columns for either block, so half of every row is kept and not a quarter.
TEST(ChannelSearchTest, FindsTheBestOrderWhereOneIsKnown) {
  constexpr int64_t kRows = 32, kCols = 64;
  const VnmPattern pattern{.v = 16, .m = 8, .inner = VnmInner::kRows};
  Tensor scores = Tensor::Zeros({kRows, kCols});
  for (int64_t row = 0; row < kRows; ++row) {
    std::fill_n(scores.mutable_data<float>() + row * kCols + row / 16 * (kCols / 2), kCols / 2, 1.0f);
  }
  const ChannelSearchResult found =
      FindChannelOrders({{.name = "w", .scores = scores, .row_order = {}, .column_order = 0}},
                        std::vector<int64_t>{kCols}, {.pattern = pattern});
  EXPECT_THAT(found.kept_before, ElementsAre(0.25));
  EXPECT_THAT(found.kept_after, ElementsAre(0.5));
}

TEST(ChannelSearchTest, NothingToGainLeavesTheOrder) {
  const Tensor scores = Tensor::Full({16, 16}, 1);
  const ChannelSearchResult found =
      FindChannelOrders({{.name = "w", .scores = scores, .row_order = 1, .column_order = 0}},
                        std::vector<int64_t>{16, 16, 3}, {.pattern = {.v = 4, .m = 8}});
  EXPECT_EQ(found.orders, (std::vector<ChannelOrder>{IdentityOrder(16), IdentityOrder(16), IdentityOrder(3)}));
  EXPECT_EQ(found.kept_after, found.kept_before);
  const ChannelSearchResult zeros =
      FindChannelOrders({{.name = "w", .scores = Tensor::Zeros({8, 8}), .row_order = 0, .column_order = {}}},
                        std::vector<int64_t>{8}, {.pattern = kPlain});
  EXPECT_THAT(zeros.kept_after, ElementsAre(1.0));
}

TEST(ChannelSearchTest, ReturnsWhatItHasWhenStopped) {
  const std::atomic<bool> stop = true;
  const ChannelSearchResult found =
      FindChannelOrders(MlpScores(32, 64, 16, 6), std::vector<int64_t>{64, 32}, {.pattern = {.v = 16, .m = 8}}, &stop);
  EXPECT_EQ(found.orders, (std::vector<ChannelOrder>{IdentityOrder(64), IdentityOrder(32)}));
  EXPECT_EQ(found.kept_after, found.kept_before);
}

TEST(ChannelSearchTest, IsTheSameForAnyNumberOfThreads) {
  const auto orders = [](int threads) {
    const ScopedNumThreads scoped(threads);
    return FindChannelOrders(MlpScores(32, 64, 16, 6), std::vector<int64_t>{64, 32}, {.pattern = {.v = 16, .m = 8}})
        .orders;
  };
  EXPECT_EQ(orders(1), orders(3));
}

TEST(ChannelSearchTest, SaysWhatIsWrong) {
  const auto search = [](const Tensor& scores, ChannelSearchOptions options, std::vector<int64_t> sizes = {8}) {
    FindChannelOrders({{.name = "c_fc", .scores = scores, .row_order = {}, .column_order = 0}}, sizes, options);
  };
  const Tensor scores = Tensor::Full({8, 8}, 1);
  EXPECT_ERROR(search(scores, {.rounds = 0}), ErrorKind::kInvalidInput, HasSubstr("rounds"));
  EXPECT_ERROR(search(scores, {.pattern = {.v = 6}}), ErrorKind::kInvalidInput, HasSubstr("v"));
  EXPECT_ERROR(search(scores, {}, {9}), ErrorKind::kInvalidInput,
               HasSubstr("c_fc: shape [8, 8], expected 9 columns as order 0 has"));
  EXPECT_ERROR(search(scores, {}, {}), ErrorKind::kInvalidInput, HasSubstr("c_fc: shape [8, 8]"));
  EXPECT_ERROR(search(Tensor::Full({7, 8}, 1), {.pattern = kPlain}), ErrorKind::kInvalidInput,
               HasSubstr("c_fc: shape [7, 8], a 2:4 mask needs multiples of 4"));
  EXPECT_ERROR(search(F32({1, std::numeric_limits<float>::quiet_NaN()}, {1, 2}), {}, {2}), ErrorKind::kRuntimeFailure,
               HasSubstr("c_fc"));
}

}  // namespace
}  // namespace twofour::sparse
