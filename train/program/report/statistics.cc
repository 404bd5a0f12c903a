#include "twofour/train/program/report/statistics.h"

#include <cassert>
#include <cmath>
#include <limits>

namespace twofour::train {
namespace {

/// The continued fraction of the incomplete beta function by Lentz's method; converges fast for x < (a+1)/(a+b+2).
double BetaFraction(double x, double a, double b) {
  constexpr double kTiny = 1e-300;
  constexpr int kMaxTerms = 10'000;
  const auto away_from_zero = [](double value) { return std::abs(value) < kTiny ? kTiny : value; };
  double c = 1;
  double d = 1 / away_from_zero(1 - (a + b) * x / (a + 1));
  double result = d;
  for (int m = 1; m <= kMaxTerms; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / away_from_zero(1 + even * d);
    c = away_from_zero(1 + even / c);
    result *= d * c;
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / away_from_zero(1 + odd * d);
    c = away_from_zero(1 + odd / c);
    result *= d * c;
    if (std::abs(d * c - 1) < 4 * std::numeric_limits<double>::epsilon()) break;
  }
  return result;
}

/// The probability that |T| exceeds t.
double TwoTails(double t, double degrees) { return IncompleteBeta(degrees / (degrees + t * t), degrees / 2, 0.5); }

}  // namespace

Sample Summarise(std::span<const double> values) {
  Sample sample{.count = values.size()};
  if (values.empty()) return sample;
  const auto count = static_cast<double>(values.size());
  for (const double value : values) sample.mean += value / count;
  if (values.size() < 2) return sample;
  double squares = 0;
  for (const double value : values) squares += (value - sample.mean) * (value - sample.mean);
  sample.deviation = std::sqrt(squares / (count - 1));
  return sample;
}

double IncompleteBeta(double x, double a, double b) {
  assert(x >= 0 && x <= 1 && a > 0 && b > 0);
  if (x == 0 || x == 1) return x;
  const double factor =
      std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * std::log(x) + b * std::log1p(-x));
  if (x < (a + 1) / (a + b + 2)) return factor * BetaFraction(x, a, b) / a;
  return 1 - factor * BetaFraction(1 - x, b, a) / b;
}

double StudentQuantile(double probability, double degrees) {
  assert(probability > 0 && probability < 1 && degrees > 0);
  if (probability == 0.5) return 0;
  if (probability < 0.5) return -StudentQuantile(1 - probability, degrees);
  const double tails = 2 * (1 - probability);
  double low = 0, high = 1;
  while (TwoTails(high, degrees) > tails && high < 1e150) high *= 2;
  // Bisection ends when no double lies between low and high.
  for (double middle = high / 2; middle > low && middle < high; middle = low + (high - low) / 2) {
    (TwoTails(middle, degrees) > tails ? low : high) = middle;
  }
  return high;
}

Difference WelchDifference(const Sample& sample, const Sample& baseline, double level) {
  assert(sample.count > 0 && baseline.count > 0);
  Difference difference{.value = sample.mean - baseline.mean};
  if (!sample.deviation || !baseline.deviation) return difference;
  const auto n = static_cast<double>(sample.count), m = static_cast<double>(baseline.count);
  const double a = *sample.deviation * *sample.deviation / n, b = *baseline.deviation * *baseline.deviation / m;
  // Uses shares of the sum, because squares of tiny variances would become 0.
  const double sum = a + b;
  if (!(sum > 0) || !std::isfinite(sum)) return difference;
  const double degrees = 1 / ((a / sum) * (a / sum) / (n - 1) + (b / sum) * (b / sum) / (m - 1));
  const double half = StudentQuantile(0.5 + level / 2, degrees) * std::sqrt(sum);
  difference.interval = Difference::Interval{difference.value - half, difference.value + half, degrees};
  return difference;
}

}  // namespace twofour::train
