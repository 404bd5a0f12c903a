#include "twofour/train/inference_speed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "twofour/sparse/mask_format.h"

namespace twofour::train {
namespace {

using sparse::MaskFormat;
using ::testing::DoubleEq;

/// Every second reading ends a measurement, which took as long as the list says. Then the list begins again.
class ScriptedClock final : public Clock {
 public:
  explicit ScriptedClock(std::vector<double> seconds) : seconds_(std::move(seconds)) {}
  double Seconds() const override {
    if (readings_++ % 2 == 1) now_ += seconds_[measurements_++ % seconds_.size()];
    return now_;
  }
  size_t measurements() const { return measurements_; }

 private:
  std::vector<double> seconds_;
  mutable double now_ = 0;
  mutable size_t readings_ = 0, measurements_ = 0;
};

TEST(InferenceSpeedTest, TakesMediansOfTheRoundsAndOfTheirRatios) {
  // Dense and packed are warmed up twice each. Then come three rounds, with ratios 2, 8 and 3.
  const ScriptedClock clock({9, 9, 9, 9, 4, 2, 8, 1, 9, 3});
  const auto times = MeasureInference(8, 8, {MaskFormat::Rows(2, 4)}, {1}, {.rounds = 3, .clock = &clock});
  ASSERT_TRUE(times.has_value());
  ASSERT_EQ(times->size(), 1u);
  EXPECT_EQ(times->front().rows, 1);
  EXPECT_THAT(times->front().dense_seconds, DoubleEq(8));
  ASSERT_EQ(times->front().formats.size(), 1u);
  EXPECT_THAT(times->front().formats[0].seconds, DoubleEq(2));
  const Speedup& speedup = times->front().formats[0].speedup;
  EXPECT_THAT(speedup.median, DoubleEq(3));
  EXPECT_THAT(speedup.least, DoubleEq(2));
  EXPECT_THAT(speedup.largest, DoubleEq(8));
  EXPECT_EQ(clock.measurements(), 10u);
}

TEST(InferenceSpeedTest, ShortProductsAreRepeated) {
  // The second run takes 1 / 512 s, so that 64 of them take the 1 / 8 s that are asked for. In the round they take 8 s.
  const ScriptedClock clock({1, 1.0 / 512, 8});
  const auto times = MeasureInference(8, 8, {}, {1}, {.rounds = 1, .min_seconds = 0.125, .clock = &clock});
  ASSERT_TRUE(times.has_value());
  EXPECT_THAT(times->front().dense_seconds, DoubleEq(8.0 / 64));
}

TEST(InferenceSpeedTest, TakesEveryFormAndAnySize) {
  const std::vector<MaskFormat> formats = {MaskFormat::TwoOfFour(),
                                           MaskFormat::Rows(2, 4),
                                           MaskFormat::Rows(1, 4),
                                           MaskFormat::Rows(4, 8),
                                           MaskFormat::Vnm({.v = 8, .m = 6}),
                                           MaskFormat::Vnm({.v = 8, .m = 6, .inner = sparse::VnmInner::kRows})};
  for (const DType values : {DType::kF32, DType::kBF16}) {
    const auto times = MeasureInference(18, 17, formats, {1, 20}, {.values = values, .rounds = 1, .min_seconds = 1e-6});
    ASSERT_TRUE(times.has_value());
    ASSERT_EQ(times->size(), 2u);
    EXPECT_EQ((*times)[1].rows, 20);
    for (const InferenceTimes& of_rows : *times) {
      ASSERT_EQ(of_rows.formats.size(), formats.size());
      for (const InferenceTimes::Packed& packed : of_rows.formats) EXPECT_GT(packed.speedup.median, 0);
    }
  }
}

TEST(InferenceSpeedTest, StopsBetweenTwoVariants) {
  const ScriptedClock clock({1});
  int asked = 0;
  const auto times = MeasureInference(8, 8, {MaskFormat::Rows(2, 4)}, {1},
                                      {.rounds = 9, .clock = &clock, .stopped = [&] { return ++asked > 4; }});
  EXPECT_FALSE(times.has_value());
  EXPECT_EQ(clock.measurements(), 5u);  // Both warm up, and dense runs once.
}

}  // namespace
}  // namespace twofour::train
