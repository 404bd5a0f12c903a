#include "twofour/train/program/tensorboard/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "twofour/core/random.h"

namespace twofour::train {
namespace {

template <typename T>
Tensor Of(const std::vector<T>& values) {
  return Tensor::FromVector(values, {static_cast<int64_t>(values.size())});
}

/// All possible limits in rising order, computed anew.
std::vector<double> Ladder() {
  std::vector<double> limits{0, std::numeric_limits<double>::max()};
  for (double limit = 1e-12; limit < 1e20; limit *= 1.1) {
    limits.push_back(limit);
    limits.push_back(-limit);
  }
  std::ranges::sort(limits);
  return limits;
}

bool LiesBetween(double value, double low, double high) {
  if (high == std::numeric_limits<double>::max()) return low <= value;
  return value < 0 ? low < value && value <= high : low <= value && value < high;
}

/// Compares a histogram with the definition: counts everything again, bucket by bucket, over all values.
template <typename T>
void ExpectIsHistogramOf(const Histogram& histogram, const std::vector<T>& values) {
  std::vector<double> finite;
  for (const T value : values) {
    if (std::isfinite(static_cast<double>(value))) finite.push_back(value);
  }
  ASSERT_FALSE(finite.empty());
  EXPECT_EQ(histogram.count, static_cast<int64_t>(finite.size()));
  EXPECT_EQ(histogram.min, std::ranges::min(finite));
  EXPECT_EQ(histogram.max, std::ranges::max(finite));
  long double sum = 0, sum_squares = 0, sum_magnitudes = 0;
  for (const double value : finite) {
    sum += value;
    sum_squares += static_cast<long double>(value) * value;
    sum_magnitudes += std::abs(value);
  }
  EXPECT_NEAR(histogram.sum, static_cast<double>(sum), 1e-12 * static_cast<double>(sum_magnitudes));
  EXPECT_NEAR(histogram.sum_squares, static_cast<double>(sum_squares), 1e-12 * static_cast<double>(sum_squares));

  const std::vector<double> ladder = Ladder();
  ASSERT_FALSE(histogram.buckets.empty());
  EXPECT_GT(histogram.buckets.front().count, 0);
  EXPECT_GT(histogram.buckets.back().count, 0);
  const auto first = std::ranges::find(ladder, histogram.buckets.front().limit);
  double low = first == ladder.begin() ? -std::numeric_limits<double>::infinity() : *(first - 1);
  bool previous_empty = false;
  int64_t counted = 0;
  for (const auto& [limit, count] : histogram.buckets) {
    EXPECT_LT(low, limit);
    EXPECT_TRUE(std::ranges::binary_search(ladder, limit)) << limit;
    EXPECT_EQ(count,
              std::ranges::count_if(finite, [&, high = limit](double value) { return LiesBetween(value, low, high); }))
        << low << " to " << limit;
    EXPECT_FALSE(previous_empty && count == 0) << "two empty buckets in a row before " << limit;
    if (count > 0) {
      EXPECT_EQ(std::ranges::upper_bound(ladder, low), std::ranges::find(ladder, limit)) << "a bucket too wide";
    }
    previous_empty = count == 0;
    counted += count;
    low = limit;
  }
  EXPECT_EQ(counted, histogram.count);
}

TEST(HistogramTest, OfNormalValues) {
  RandomSequence random({3, 0, 0});
  std::vector<float> values;
  for (int i = 0; i < 2000; ++i) values.push_back(0.02f * random.Normal());
  ExpectIsHistogramOf(HistogramOf(Of(values)), values);
}

TEST(HistogramTest, OfFloatsOfAllSizes) {
  RandomSequence random({4, 0, 0});
  std::vector<float> values{0.0f, -0.0f};
  for (int i = 0; i < 3000; ++i) {
    values.push_back((i % 3 == 0 ? -1.0f : 1.0f) * std::pow(10.0f, random.Uniform(-44, 38.5f)));
  }
  values.push_back(std::numeric_limits<float>::max());
  values.push_back(std::numeric_limits<float>::lowest());
  values.push_back(std::numeric_limits<float>::denorm_min());
  ExpectIsHistogramOf(HistogramOf(Of(values)), values);
}

TEST(HistogramTest, OfFloatsBesideEveryLimit) {
  std::vector<float> values;
  for (const double limit : Ladder()) {
    const auto nearest = static_cast<float>(std::clamp(limit, -1e38, 1e38));
    for (const float goal : {-1e38f, 1e38f}) values.push_back(std::nextafter(nearest, goal));
    values.push_back(nearest);
  }
  ExpectIsHistogramOf(HistogramOf(Of(values)), values);
}

TEST(HistogramTest, OfDoublesOnEveryLimit) {
  std::vector<double> values = Ladder();
  values.push_back(-std::numeric_limits<double>::max() / 2);
  // The squares overflow, but the counts do not.
  const Histogram histogram = HistogramOf(Of(values));
  EXPECT_EQ(histogram.sum_squares, std::numeric_limits<double>::infinity());
  std::erase_if(values, [](double value) { return std::abs(value) > 1e100; });
  ExpectIsHistogramOf(HistogramOf(Of(values)), values);
}

TEST(HistogramTest, OfEqualValuesHasOneBucket) {
  for (const float value : {0.0f, 0.25f, -3.0f, 1e-30f, -1e30f}) {
    const std::vector<float> values(7, value);
    const Histogram histogram = HistogramOf(Of(values));
    EXPECT_EQ(histogram.buckets.size(), 1u) << value;
    ExpectIsHistogramOf(histogram, values);
  }
}

TEST(HistogramTest, OfNothingIsEmpty) {
  for (const std::vector<float>& values : {std::vector<float>{}, std::vector<float>{std::nanf(""), INFINITY}}) {
    const Histogram histogram = HistogramOf(Of(values));
    EXPECT_EQ(histogram.count, 0);
    EXPECT_EQ(histogram.min, 0);
    EXPECT_EQ(histogram.max, 0);
    EXPECT_EQ(histogram.sum, 0);
    EXPECT_EQ(histogram.sum_squares, 0);
    EXPECT_TRUE(histogram.buckets.empty());
  }
}

TEST(HistogramTest, LeavesOutWhatIsNotFinite) {
  const std::vector<float> values{1, std::nanf(""), -INFINITY, 2, INFINITY};
  ExpectIsHistogramOf(HistogramOf(Of(values)), values);
}

TEST(HistogramTest, JoinsEmptyBuckets) {
  const std::vector<float> values{-100, 100};
  EXPECT_EQ(HistogramOf(Of(values)).buckets.size(), 3u);
  ExpectIsHistogramOf(HistogramOf(Of(values)), values);
}

TEST(HistogramTest, TakesAnyDType) {
  const std::vector<int32_t> values{-5, 0, 0, 7};
  ExpectIsHistogramOf(HistogramOf(Of(values)), values);
}

}  // namespace
}  // namespace twofour::train
