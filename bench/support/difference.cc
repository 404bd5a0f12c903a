#include "bench/support/difference.h"

#include <algorithm>
#include <cmath>

namespace twofour::bench {
namespace {

/// To each row's norm this share of the mean row's norm is added.
constexpr double kShareOfMeanRow = 1e-2;

double SquareOf(double value) { return std::isnan(value) ? INFINITY : value * value; }

}  // namespace

double ElementDifference(const Tensor& actual, const Tensor& expected) {
  double difference = 0, largest = 0;
  const float *a = actual.data<float>(), *e = expected.data<float>();
  for (int64_t i = 0; i < expected.numel(); ++i) {
    difference = std::max<double>(difference, std::isnan(a[i]) ? INFINITY : std::abs(a[i] - e[i]));
    largest = std::max<double>(largest, std::abs(e[i]));
  }
  return largest > 0 ? difference / largest : difference;
}

double RowDifference(const Tensor& actual, const Tensor& expected) {
  const int64_t cols = expected.cols(), rows = expected.numel() / cols;
  const float *a = actual.data<float>(), *e = expected.data<float>();
  double all = 0;
  for (int64_t i = 0; i < expected.numel(); ++i) all += SquareOf(e[i]);
  const double small = kShareOfMeanRow * std::sqrt(all / static_cast<double>(rows));
  double largest = 0;
  for (int64_t row = 0; row < rows; ++row) {
    double difference = 0, norm = 0;
    for (int64_t i = row * cols; i < (row + 1) * cols; ++i) {
      difference += SquareOf(double{a[i]} - double{e[i]});
      norm += SquareOf(e[i]);
    }
    if (difference > 0) largest = std::max(largest, std::sqrt(difference) / (std::sqrt(norm) + small));
  }
  return largest;
}

}  // namespace twofour::bench
