#include "twofour/sparse/schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <utility>
#include <vector>

#include "tests/support/expect_error.h"

namespace twofour::sparse {
namespace {

using enum ScheduleShape;
using ::testing::HasSubstr;

constexpr double kPi = 3.14159265358979323846;

TEST(SparsityScheduleTest, FollowsTheClosedForms) {
  constexpr int64_t kBegin = 10, kEnd = 50;
  constexpr double kFrom = 0.1, kTo = 0.9, kRate = 4;
  // The formulas as the papers write them: by the part of the way that is left, or by the part that is over.
  const std::vector<std::pair<ScheduleShape, std::function<double(double)>>> shapes{
      {kLinear, [](double t) { return kFrom * (1 - t) + kTo * t; }},
      {kCubic, [](double t) { return kTo + (kFrom - kTo) * std::pow(1 - t, 3); }},
      {kSmoothstep, [](double t) { return kFrom + (kTo - kFrom) * (3 * std::pow(t, 2) - 2 * std::pow(t, 3)); }},
      {kExponential,
       [](double t) { return kFrom + (kTo - kFrom) * (1 - std::exp(-kRate * t)) / (1 - std::exp(-kRate)); }},
      {kCosine, [](double t) { return kTo + (kFrom - kTo) * 0.5 * (1 + std::cos(kPi * t)); }},
  };
  for (const auto& [shape, closed_form] : shapes) {
    const SparsitySchedule schedule(
        {.shape = shape, .begin_step = kBegin, .end_step = kEnd, .from = kFrom, .to = kTo, .rate = kRate});
    for (int64_t step = 0; step < 70; ++step) {
      const double t = std::fmin(std::fmax(static_cast<double>(step - kBegin) / (kEnd - kBegin), 0), 1);
      EXPECT_NEAR(schedule.ShareAt(step), closed_form(t), 1e-14) << NameOf(shape) << " at " << step;
    }
    // Both ends are reached exactly.
    EXPECT_EQ(schedule.ShareAt(kBegin), kFrom) << NameOf(shape);
    EXPECT_EQ(schedule.ShareAt(kEnd), kTo) << NameOf(shape);
    EXPECT_LT(schedule.ShareAt(kEnd - 1), kTo) << NameOf(shape);
    EXPECT_EQ(schedule.LastChange(), kEnd);
  }
}

TEST(SparsityScheduleTest, EveryTileAlwaysUnlessAsked) {
  EXPECT_EQ(SparsitySchedule().ShareAt(0), 1);
  EXPECT_EQ(SparsitySchedule().LastChange(), 0);
  const SparsitySchedule late({.begin_step = 7, .to = 0.5});
  EXPECT_EQ(late.ShareAt(6), 0);
  EXPECT_EQ(late.ShareAt(7), 0.5);
  EXPECT_EQ(late.ShareAt(1'000'000), 0.5);
  EXPECT_EQ(late.LastChange(), 7);
}

TEST(SparsityScheduleTest, ARiseOfNoLengthIsAJump) {
  for (const ScheduleShape shape : {kLinear, kCubic, kSmoothstep, kExponential, kCosine}) {
    const SparsitySchedule schedule({.shape = shape, .begin_step = 5, .end_step = 5});
    EXPECT_EQ(schedule.ShareAt(4), 0) << NameOf(shape);
    EXPECT_EQ(schedule.ShareAt(5), 1) << NameOf(shape);
  }
}

TEST(SparsityScheduleTest, PiecewiseGoesStraightFromPointToPoint) {
  const SparsitySchedule schedule({.shape = kPiecewise, .points = {{10, 0.2}, {20, 0.6}, {21, 0}, {25, 1}}});
  EXPECT_EQ(schedule.ShareAt(0), 0.2);
  EXPECT_EQ(schedule.ShareAt(10), 0.2);
  EXPECT_NEAR(schedule.ShareAt(15), 0.4, 1e-15);
  EXPECT_EQ(schedule.ShareAt(20), 0.6);
  EXPECT_EQ(schedule.ShareAt(21), 0);
  EXPECT_EQ(schedule.ShareAt(23), 0.5);
  EXPECT_EQ(schedule.ShareAt(99), 1);
  EXPECT_EQ(schedule.LastChange(), 25);
}

TEST(SparsityScheduleTest, RejectsWhatLeavesItsBounds) {
  const auto expect = [](const SparsityScheduleOptions& options, const char* message) {
    EXPECT_ERROR(SparsitySchedule{options}, ErrorKind::kInvalidInput, HasSubstr(message));
  };
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  expect({.shape = kLinear, .begin_step = 9, .end_step = 8}, "from step 9 to step 8");
  expect({.shape = kLinear, .begin_step = -1, .end_step = 8}, "-1");
  expect({.from = 1.5}, "from is 1.5");
  expect({.to = -0.1}, "to is -0.1");
  expect({.to = kNan}, "nan");
  expect({.shape = kExponential, .end_step = 9, .rate = 0}, "rate is 0");
  expect({.shape = kPiecewise}, "no points");
  expect({.shape = kPiecewise, .points = {{3, 0}, {3, 1}}},
         "points[1].step is 3, expected a step after that of the point before, which is 3");
  expect({.shape = kPiecewise, .points = {{3, 2}}}, "2");
  expect({.shape = kLinear, .points = {{3, 1}}}, "linear");
}

}  // namespace
}  // namespace twofour::sparse
