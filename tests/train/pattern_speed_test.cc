#include "twofour/train/pattern_speed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "twofour/sparse/mask_format.h"
#include "twofour/sparse/pruning_pattern.h"

namespace twofour::train {
namespace {

using sparse::MaskFormat;
using sparse::PruningPattern;
using ::testing::DoubleEq;
using ::testing::ElementsAre;

/// Every second reading ends a product, which took as long as the list says. Then the list begins again.
class ScriptedClock final : public Clock {
 public:
  explicit ScriptedClock(std::vector<double> seconds) : seconds_(std::move(seconds)) {}
  double Seconds() const override {
    if (readings_++ % 2 == 1) now_ += seconds_[products_++ % seconds_.size()];
    return now_;
  }
  size_t products() const { return products_; }

 private:
  std::vector<double> seconds_;
  mutable double now_ = 0;
  mutable size_t readings_ = 0, products_ = 0;
};

const std::vector<PruningPattern> kPatterns = {{.format = MaskFormat::TwoOfFour()},
                                               {.format = MaskFormat::Vnm({.v = 8, .m = 6})}};

MATCHER_P(HasMedian, expected, "") { return ExplainMatchResult(DoubleEq(expected), arg.median, result_listener); }

TEST(PatternSpeedTest, ComparesTheTimesOfAllWeightsTogether) {
  // Dense products of both shapes, then those of the two patterns. The second shape counts three times.
  const ScriptedClock clock({4, 2, 1, 1, 2, 1});
  const auto speedups = MeasureSpeedups({{.out_features = 16, .in_features = 8, .rows = 5}, {8, 16, 2, 3}}, kPatterns,
                                        {.rounds = 2, .clock = &clock});
  ASSERT_TRUE(speedups.has_value());
  EXPECT_THAT(*speedups, ElementsAre(HasMedian(10.0 / 4), HasMedian(10.0 / 5)));
  EXPECT_EQ(clock.products(), 3u * 6);  // The first round does not count.
}

TEST(PatternSpeedTest, TakesTheMedianOfTheRounds) {
  // Ratios 9 (not counted), 1, 4 and 2.
  const ScriptedClock clock({9, 1, 1, 1, 4, 1, 2, 1});
  const auto speedups = MeasureSpeedups({{.out_features = 8, .in_features = 8, .rows = 3}}, {PruningPattern{}},
                                        {.rounds = 3, .clock = &clock});
  ASSERT_TRUE(speedups.has_value());
  EXPECT_THAT(*speedups, ElementsAre(HasMedian(2)));
  EXPECT_THAT(speedups->front().least, DoubleEq(1));
  EXPECT_THAT(speedups->front().largest, DoubleEq(4));
}

TEST(PatternSpeedTest, MeasuresActivationsOfBf16) {
  const auto speedups = MeasureSpeedups({{.out_features = 16, .in_features = 16, .rows = 4}}, kPatterns,
                                        {.activations = DType::kBF16, .rounds = 1});
  ASSERT_TRUE(speedups.has_value());
  for (const Speedup& speedup : *speedups) EXPECT_GT(speedup.least, 0);
}

TEST(PatternSpeedTest, TakesEveryPatternAndAnySize) {
  std::vector<PruningPattern> patterns;
  for (const char* const text :
       {"2:4", "1:4", "4:8", "transposable:2:4", "4:2:8", "rows:4:2:8", "unstructured:0.5", "block:4x4:0.5"}) {
    patterns.push_back(sparse::ParsePruningPattern(text, "test"));
  }
  const auto speedups = MeasureSpeedups({{.out_features = 18, .in_features = 17, .rows = 3}}, patterns, {.rounds = 1});
  ASSERT_TRUE(speedups.has_value());
  EXPECT_EQ(speedups->size(), patterns.size());
}

TEST(PatternSpeedTest, StopsBetweenTwoPatterns) {
  const ScriptedClock clock({1});
  int asked = 0;
  const auto speedups = MeasureSpeedups({{.out_features = 8, .in_features = 8, .rows = 2}}, kPatterns,
                                        {.rounds = 9, .clock = &clock, .stopped = [&] { return ++asked > 2; }});
  EXPECT_FALSE(speedups.has_value());
  EXPECT_EQ(clock.products(), 2u);  // Dense, and the first pattern.
}

}  // namespace
}  // namespace twofour::train
