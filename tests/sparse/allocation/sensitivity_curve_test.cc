#include "twofour/sparse/allocation/sensitivity_curve.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "twofour/core/error.h"

#include "tests/support/expect_error.h"

namespace twofour::sparse {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(SensitivityCurveTest, IsStraightBetweenPointsAndNeverFalls) {
  const SensitivityCurve rising = Rising({{0.25, -0.1}, {0.5, 0.2}, {0.75, 0.1}, {0.9, 0.5}});
  EXPECT_EQ(LossAt(rising, 0), 0);
  EXPECT_EQ(LossAt(rising, 0.2), 0);
  EXPECT_EQ(LossAt(rising, 0.25), 0);
  EXPECT_NEAR(LossAt(rising, 0.375), 0.1, 1e-12);
  EXPECT_EQ(LossAt(rising, 0.5), 0.2);
  EXPECT_EQ(LossAt(rising, 0.6), 0.2);
  EXPECT_NEAR(LossAt(rising, 0.825), 0.35, 1e-12);
  EXPECT_EQ(LossAt(rising, 0.9), 0.5);
  EXPECT_EQ(LossAt(rising, 0.99), 0.5);
  EXPECT_NEAR(LossAt(Rising({{0.5, 1}}), 0.1), 0.2, 1e-12);
}

TEST(SensitivityCurveTest, RefusesPointsOutOfOrder) {
  const auto refused = [](const SensitivityCurve& curve, const auto& message) {
    Faults faults("Allocate: ");
    CheckCurve(curve, "fc", faults);
    EXPECT_ERROR(faults.Throw(), ErrorKind::kInvalidInput, message);
  };
  refused({}, HasSubstr("Allocate: fc is missing, expected at least one point of a curve"));
  refused({{0, 0}, {0.5, 1}}, AllOf(HasSubstr("fc: point 0.sparsity is 0, expected above 0"), Not(HasSubstr("\n"))));
  refused({{0.5, 1}, {0.5, 2}}, HasSubstr("fc: point 1.sparsity is 0.5, expected above 0.5"));
  refused({{0.5, 1}, {1, 2}},
          HasSubstr("fc: point 1.sparsity is 1, expected above 0.5, as sparsities rise from 0, and below 1"));
  refused({{std::numeric_limits<double>::quiet_NaN(), 1}}, HasSubstr("point 0.sparsity is nan"));
  refused({{0.5, std::numeric_limits<double>::infinity()}}, HasSubstr("point 0.loss is inf, expected a finite number"));
}

}  // namespace
}  // namespace twofour::sparse
