#include "twofour/train/program/report/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace twofour::train {
namespace {

TEST(SummariseTest, MatchesValuesByHand) {
  // The squares of -3, -1, -1, -1, 0, 0, 2, 4 sum to 32, which is divided by 7.
  const Sample sample = Summarise(std::vector<double>{2, 4, 4, 4, 5, 5, 7, 9});
  EXPECT_EQ(sample.count, 8u);
  EXPECT_DOUBLE_EQ(sample.mean, 5);
  EXPECT_DOUBLE_EQ(sample.deviation.value(), std::sqrt(32.0 / 7));
}

TEST(SummariseTest, OneNumberHasNoDeviationAndSeveralEqualOnesHaveOneOfZero) {
  EXPECT_FALSE(Summarise(std::vector<double>{3}).deviation);
  EXPECT_EQ(Summarise(std::vector<double>{3}).mean, 3);
  EXPECT_EQ(Summarise(std::vector<double>{3, 3}).deviation, 0.0);
  EXPECT_EQ(Summarise({}).count, 0u);
}

TEST(IncompleteBetaTest, MatchesClosedForms) {
  for (const double x : {0.0, 0.01, 0.3, 0.5, 0.77, 0.999, 1.0}) {
    EXPECT_NEAR(IncompleteBeta(x, 1, 1), x, 1e-14);
    EXPECT_NEAR(IncompleteBeta(x, 1, 5), 1 - std::pow(1 - x, 5), 1e-14);
    EXPECT_NEAR(IncompleteBeta(x, 2, 2), x * x * (3 - 2 * x), 1e-14);
    EXPECT_NEAR(IncompleteBeta(x, 0.5, 0.5), 2 / M_PI * std::asin(std::sqrt(x)), 1e-13);
  }
}

TEST(StudentQuantileTest, MatchesPublishedTables) {
  // Table of critical values of Student's t, NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2.
  const struct {
    double degrees, t90, t95, t975, t99, t995;
  } kRows[] = {{1, 3.078, 6.314, 12.706, 31.821, 63.657}, {2, 1.886, 2.920, 4.303, 6.965, 9.925},
               {3, 1.638, 2.353, 3.182, 4.541, 5.841},    {4, 1.533, 2.132, 2.776, 3.747, 4.604},
               {5, 1.476, 2.015, 2.571, 3.365, 4.032},    {10, 1.372, 1.812, 2.228, 2.764, 3.169},
               {30, 1.310, 1.697, 2.042, 2.457, 2.750},   {100, 1.290, 1.660, 1.984, 2.364, 2.626},
               {1e8, 1.282, 1.645, 1.960, 2.326, 2.576}};
  for (const auto& row : kRows) {
    EXPECT_NEAR(StudentQuantile(0.9, row.degrees), row.t90, 0.0006) << row.degrees;
    EXPECT_NEAR(StudentQuantile(0.95, row.degrees), row.t95, 0.0006) << row.degrees;
    EXPECT_NEAR(StudentQuantile(0.975, row.degrees), row.t975, 0.0006) << row.degrees;
    EXPECT_NEAR(StudentQuantile(0.99, row.degrees), row.t99, 0.0006) << row.degrees;
    EXPECT_NEAR(StudentQuantile(0.995, row.degrees), row.t995, 0.0006) << row.degrees;
  }
}

/// Integrates the density by Simpson's rule.
double ProbabilityBelow(double t, double degrees) {
  const double factor = std::exp(std::lgamma((degrees + 1) / 2) - std::lgamma(degrees / 2)) / std::sqrt(degrees * M_PI);
  const auto density = [&](double x) { return factor * std::pow(1 + x * x / degrees, -(degrees + 1) / 2); };
  constexpr int kSteps = 20'000;
  const double width = t / kSteps;
  double sum = density(0) + density(t);
  for (int i = 1; i < kSteps; ++i) sum += (i % 2 == 1 ? 4 : 2) * density(i * width);
  return 0.5 + sum * width / 3;
}

TEST(StudentQuantileTest, InvertsTheDistributionAtDegreesThatAreNotWhole) {
  for (const double degrees : {1.3, 2.5, 3.97, 17.2}) {
    for (const double probability : {0.6, 0.9, 0.975}) {
      EXPECT_NEAR(ProbabilityBelow(StudentQuantile(probability, degrees), degrees), probability, 1e-9) << degrees;
    }
  }
}

TEST(StudentQuantileTest, IsSymmetric) {
  EXPECT_EQ(StudentQuantile(0.5, 3), 0);
  EXPECT_DOUBLE_EQ(StudentQuantile(0.025, 3), -StudentQuantile(0.975, 3));
}

TEST(WelchDifferenceTest, MatchesAPublishedExample) {
  // Student's sleep data. R's documentation of t.test, t.test(extra ~ group, data = sleep): df = 17.776,
  // 95 percent confidence interval -3.3654832 to 0.2054832, means 0.75 and 2.33.
  const std::vector<double> first = {0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0};
  const std::vector<double> second = {1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4};
  const Difference difference = WelchDifference(Summarise(first), Summarise(second));
  ASSERT_TRUE(difference.interval);
  EXPECT_NEAR(difference.value, 0.75 - 2.33, 1e-12);
  EXPECT_NEAR(difference.interval->degrees, 17.776, 0.0005);
  EXPECT_NEAR(difference.interval->low, -3.3654832, 5e-8);
  EXPECT_NEAR(difference.interval->high, 0.2054832, 5e-8);
}

TEST(WelchDifferenceTest, OfEqualSizesAndDeviationsHasAllDegreesOfFreedom) {
  // Both deviations are 1, with three numbers each: 4 degrees of freedom, t = 2.776, times sqrt(2/3).
  const Difference difference =
      WelchDifference(Summarise(std::vector<double>{4, 5, 6}), Summarise(std::vector<double>{1, 2, 3}));
  EXPECT_DOUBLE_EQ(difference.value, 3);
  EXPECT_NEAR(difference.interval->degrees, 4, 1e-12);
  EXPECT_NEAR(difference.interval->low, 3 - 2.776445 * std::sqrt(2.0 / 3), 1e-5);
  EXPECT_NEAR(difference.interval->high, 3 + 2.776445 * std::sqrt(2.0 / 3), 1e-5);
}

TEST(WelchDifferenceTest, OneDeviationOfZeroLeavesTheOtherSamplesDegrees) {
  const Difference difference =
      WelchDifference(Summarise(std::vector<double>{2, 2, 2}), Summarise(std::vector<double>{1, 2, 3}));
  EXPECT_NEAR(difference.interval->degrees, 2, 1e-12);
  EXPECT_NEAR(difference.interval->high, 4.302653 / std::sqrt(3.0), 1e-5);
}

TEST(WelchDifferenceTest, SaysNothingOfNoiseWithoutDeviations) {
  const Sample three = Summarise(std::vector<double>{1, 2, 3}), one = Summarise(std::vector<double>{7});
  const Sample equal = Summarise(std::vector<double>{4, 4});
  EXPECT_FALSE(WelchDifference(three, one).interval);
  EXPECT_FALSE(WelchDifference(one, three).interval);
  EXPECT_FALSE(WelchDifference(equal, equal).interval);
  EXPECT_EQ(WelchDifference(one, three).value, 5);
}

TEST(WelchDifferenceTest, WorksForTinyAndHugeNumbers) {
  for (const double scale : {1e-100, 1e-20, 1e100}) {
    const Difference difference = WelchDifference(Summarise(std::vector<double>{4 * scale, 5 * scale, 6 * scale}),
                                                  Summarise(std::vector<double>{1 * scale, 2 * scale, 3 * scale}));
    ASSERT_TRUE(difference.interval) << scale;
    EXPECT_NEAR(difference.interval->low / scale, 3 - 2.776445 * std::sqrt(2.0 / 3), 1e-5);
  }
}

}  // namespace
}  // namespace twofour::train
