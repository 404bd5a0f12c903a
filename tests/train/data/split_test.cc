#include "twofour/train/data/split.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "twofour/core/error.h"

namespace twofour::train {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

std::vector<int64_t> Joined(const SplitIndices& split) {
  std::vector<int64_t> all = split.train;
  all.insert(all.end(), split.eval.begin(), split.eval.end());
  return all;
}

TEST(SplitByFractionTest, PutsEverySampleInOnePart) {
  for (int64_t size : {2, 3, 10, 1001}) {
    std::vector<int64_t> all = Joined(SplitByFraction(size, 0.4, 7));
    std::sort(all.begin(), all.end());
    ASSERT_EQ(static_cast<int64_t>(all.size()), size);
    for (int64_t i = 0; i < size; ++i) EXPECT_EQ(all[i], i);
  }
}

TEST(SplitByFractionTest, RoundsTheNumberOfEvaluationSamples) {
  EXPECT_EQ(SplitByFraction(10, 0.24, 1).eval.size(), 2u);
  EXPECT_EQ(SplitByFraction(10, 0.26, 1).eval.size(), 3u);
  EXPECT_EQ(SplitByFraction(10000, 0.2, 1).train.size(), 8000u);
}

TEST(SplitByFractionTest, SeedAloneDecides) {
  EXPECT_EQ(Joined(SplitByFraction(100, 0.3, 5)), Joined(SplitByFraction(100, 0.3, 5)));
  EXPECT_NE(Joined(SplitByFraction(100, 0.3, 5)), Joined(SplitByFraction(100, 0.3, 6)));
}

TEST(SplitByFractionTest, DrawsFromTheWholeRange) {
  // A file sorted by class: each half should give about its share of the evaluation samples.
  const SplitIndices split = SplitByFraction(10000, 0.2, 3);
  const auto low = std::count_if(split.eval.begin(), split.eval.end(), [](int64_t i) { return i < 5000; });
  EXPECT_NEAR(static_cast<double>(low), 1000, 100);  // Five standard deviations.
  EXPECT_FALSE(std::is_sorted(split.train.begin(), split.train.end()));
}

TEST(SplitByFractionTest, RefusesFractionsOutside) {
  for (double fraction : {0.0, 1.0, -0.5, 1.5, std::nan(""), std::numeric_limits<double>::infinity()}) {
    EXPECT_THAT([&] { SplitByFraction(10, fraction, 1); },
                ThrowsMessage<Error>(HasSubstr("expected a number between 0 and 1")));
  }
}

TEST(SplitByFractionTest, RefusesEmptyParts) {
  EXPECT_THAT(
      [] { SplitByFraction(10, 0.01, 1); },
      ThrowsMessage<Error>("eval_fraction: 0.01 of 10 samples leaves 10 to train on and 0 to evaluate, expected "
                           "at least 1 of each"));
  EXPECT_THAT([] { SplitByFraction(10, 0.99, 1); }, ThrowsMessage<Error>(HasSubstr("leaves 0 to train on")));
  EXPECT_THROW(SplitByFraction(0, 0.5, 1), Error);
  EXPECT_THROW(SplitByFraction(1, 0.5, 1), Error);
}

}  // namespace
}  // namespace twofour::train
