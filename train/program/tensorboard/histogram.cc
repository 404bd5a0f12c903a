#include "twofour/train/program/tensorboard/histogram.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <span>

namespace twofour::train {
namespace {

/// The limits above 0, in rising order. There is one more bucket after the last of them.
const std::vector<double>& Limits() {
  static const std::vector<double> limits = [] {
    std::vector<double> result;
    for (double limit = 1e-12; limit < 1e20; limit *= 1.1) result.push_back(limit);
    return result;
  }();
  return limits;
}

/// The index of the bucket of `magnitude`: how many of Limits() are at most `magnitude`.
size_t BucketOf(double magnitude) {
  return static_cast<size_t>(std::ranges::upper_bound(Limits(), magnitude) - Limits().begin());
}

/// BucketOf for floats, without a search. All floats with the same sign, exponent and next seven bits make a cell. They
/// differ by less than 1%, so a cell holds one limit at most.
class FloatBuckets {
 public:
  FloatBuckets() : limits_(Limits()), first_(kCells) {
    limits_.push_back(std::numeric_limits<double>::infinity());
    for (uint32_t cell = 0; cell < kCells; ++cell) {
      first_[cell] = static_cast<uint16_t>(BucketOf(std::bit_cast<float>(cell << kCellShift)));
    }
  }

  size_t operator()(float magnitude) const {
    const size_t first = first_[std::bit_cast<uint32_t>(magnitude) >> kCellShift];
    return first + (limits_[first] <= magnitude ? 1 : 0);
  }

 private:
  static constexpr int kCellShift = 16;
  static constexpr uint32_t kCells = 0x7f800000u >> kCellShift;  // The cells of finite, non-negative floats.

  std::vector<double> limits_;
  std::vector<uint16_t> first_;  // The bucket of the smallest float of each cell.
};

size_t BucketOfMagnitude(float magnitude) {
  static const FloatBuckets buckets;
  return buckets(magnitude);
}

size_t BucketOfMagnitude(double magnitude) { return BucketOf(magnitude); }

/// Counts by distance from 0, for values below 0 and for the others.
struct Counts {
  std::vector<int64_t> negative = std::vector<int64_t>(Limits().size() + 1);
  std::vector<int64_t> positive = std::vector<int64_t>(Limits().size() + 1);
};

std::vector<Histogram::Bucket> InOrder(const Counts& counts) {
  const std::vector<double>& limits = Limits();
  std::vector<Histogram::Bucket> all;
  for (size_t i = counts.negative.size(); i-- > 0;) all.push_back({i > 0 ? -limits[i - 1] : 0.0, counts.negative[i]});
  for (size_t i = 0; i < counts.positive.size(); ++i) {
    all.push_back({i < limits.size() ? limits[i] : std::numeric_limits<double>::max(), counts.positive[i]});
  }
  return all;
}

/// Leaves out empty buckets at both ends and joins those in between.
std::vector<Histogram::Bucket> WithoutEmptyRuns(const std::vector<Histogram::Bucket>& all) {
  std::vector<Histogram::Bucket> kept;
  for (const Histogram::Bucket& bucket : all) {
    if (bucket.count == 0 && kept.empty()) continue;
    if (bucket.count == 0 && kept.back().count == 0) {
      kept.back().limit = bucket.limit;
    } else {
      kept.push_back(bucket);
    }
  }
  if (!kept.empty() && kept.back().count == 0) kept.pop_back();
  return kept;
}

template <typename T>
Histogram Count(std::span<const T> values) {
  Histogram histogram;
  Counts counts;
  T min = std::numeric_limits<T>::max(), max = std::numeric_limits<T>::lowest();
  for (const T value : values) {
    if (!std::isfinite(value)) continue;
    ++(value < 0 ? counts.negative : counts.positive)[BucketOfMagnitude(std::abs(value))];
    min = std::min(min, value);
    max = std::max(max, value);
    const double wide = value;
    histogram.sum += wide;
    histogram.sum_squares += wide * wide;
    ++histogram.count;
  }
  if (histogram.count == 0) return histogram;
  histogram.min = min;
  histogram.max = max;
  histogram.buckets = WithoutEmptyRuns(InOrder(counts));
  return histogram;
}

}  // namespace

Histogram HistogramOf(const Tensor& values) {
  const auto count = static_cast<size_t>(values.numel());
  if (values.dtype() == DType::kF32) return Count(std::span(values.data<float>(), count));
  const Tensor wide = values.To(DType::kF64);
  return Count(std::span(wide.data<double>(), count));
}

}  // namespace twofour::train
