#include "twofour/train/program/report/axis.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace twofour::train {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> Labels(const Axis& axis) {
  std::vector<std::string> labels;
  for (const Axis::Tick& tick : axis.ticks()) labels.push_back(tick.label);
  return labels;
}

/// Checks that ticks rise, lie on the axis, are not too many, and have different labels.
void ExpectSensible(const Axis& axis, int max_ticks) {
  std::set<std::string> labels;
  double place = -1;
  for (const Axis::Tick& tick : axis.ticks()) {
    EXPECT_GT(axis.Place(tick.value), place) << tick.label;
    place = axis.Place(tick.value);
    EXPECT_LE(place, 1);
    EXPECT_TRUE(labels.insert(tick.label).second) << tick.label;
    EXPECT_LE(tick.label.size(), 9u) << tick.label;
  }
  EXPECT_GE(axis.ticks().size(), 2u);
  EXPECT_LE(axis.ticks().size(), static_cast<size_t>(max_ticks) + 1);
}

TEST(AxisTest, LabelsRoundNumbers) {
  EXPECT_THAT(Labels(Axis::Linear(0, 300, 5)), ElementsAre("0", "100", "200", "300"));
  EXPECT_THAT(Labels(Axis::Linear(0, 50'000, 5)), ElementsAre("0", "10k", "20k", "30k", "40k", "50k"));
  EXPECT_THAT(Labels(Axis::Linear(-0.01, 0.02, 4)), ElementsAre("-0.01", "0", "0.01", "0.02"));
  EXPECT_THAT(Labels(Axis::Linear(0, 1, 4)), ElementsAre("0", "0.25", "0.50", "0.75", "1.00"));
  EXPECT_THAT(Labels(Axis::Linear(0, 2, 5, 1)), ElementsAre("0", "1", "2"));  // No half steps.
}

TEST(AxisTest, LinearAxesAreSensibleForAllRanges) {
  for (double low = -3.7; low < 5; low += 0.61) {
    for (double range = 1e-7; range < 1e12; range *= 3.3) {
      for (const int max_ticks : {4, 5, 6}) {
        SCOPED_TRACE(testing::Message() << low << " + " << range);
        if (range < 1e-4 && std::abs(low) > 1e-3) continue;  // Labels would need too many digits.
        ExpectSensible(Axis::Linear(low, low + range, max_ticks), max_ticks);
      }
    }
  }
}

TEST(AxisTest, PlacesEndsAtTheEndsAndWhatIsBeyondOnThem) {
  const Axis axis = Axis::Linear(2, 4, 5);
  EXPECT_EQ(axis.Place(2), 0);
  EXPECT_EQ(axis.Place(3), 0.5);
  EXPECT_EQ(axis.Place(4), 1);
  EXPECT_EQ(axis.Place(-100), 0);
  EXPECT_EQ(axis.Place(100), 1);
}

TEST(AxisTest, RoomyLeavesRoomButNotBelowZero) {
  const Axis axis = Axis::Roomy(10, 20, 5);
  EXPECT_GT(axis.Place(10), 0);
  EXPECT_LT(axis.Place(20), 1);
  EXPECT_EQ(Axis::Roomy(0, 20, 5).Place(0), 0);
  EXPECT_GT(Axis::Roomy(-1, 20, 5).Place(-1), 0);
}

TEST(AxisTest, OneNumberAloneLiesInside) {
  for (const double value : {0.0, 1.0, -3.0, 1e-9, 1e20}) {
    const Axis axis = Axis::Roomy(value, value, 5);
    EXPECT_GE(axis.Place(value), 0) << value;
    EXPECT_LT(axis.Place(value), 1) << value;
    EXPECT_TRUE(std::isfinite(axis.Place(value))) << value;
  }
}

TEST(AxisTest, LogarithmicAxesAreSensibleForAllRanges) {
  for (double low = 1e-9; low < 1e3; low *= 2.3) {
    for (double factor = 10; factor < 1e14; factor *= 4.1) {
      SCOPED_TRACE(testing::Message() << low << " * " << factor);
      ExpectSensible(Axis::Logarithmic(low, low * factor, 6, false), 6);
      ExpectSensible(Axis::Logarithmic(low, low * factor, 6, true), 7);
    }
  }
}

TEST(AxisTest, LogarithmicHasOneDistanceForOneFactor) {
  const Axis axis = Axis::Logarithmic(0.001, 10, 6, false);
  EXPECT_NEAR(axis.Place(0.1) - axis.Place(0.01), axis.Place(10) - axis.Place(1), 1e-12);
  EXPECT_THAT(Labels(axis), ElementsAre("0.001", "0.01", "0.1", "1", "10"));
}

TEST(AxisTest, ZeroHasAPlaceOfItsOwnBelowAllLogarithms) {
  const Axis axis = Axis::Logarithmic(0.001, 1, 6, true);
  EXPECT_EQ(axis.ticks().front().label, "0");
  EXPECT_GT(axis.Place(0), 0);
  EXPECT_LT(axis.Place(0), axis.strip());
  EXPECT_GT(axis.Place(0.001), axis.strip());
}

}  // namespace
}  // namespace twofour::train
