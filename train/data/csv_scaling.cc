#include "twofour/train/data/csv_scaling.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace twofour::train {
namespace {

// Between these powers of two, squares and sums of a file's values stay far inside the range of a double.
constexpr int kSmallExponent = -400, kLargeExponent = 400;
// Limit of the exponent by which other values are scaled, because 2^-exponent must still be a double.
constexpr int kMostExponent = 1000;

/// Some of the columns of numbers in memory.
struct Numbers {
  const std::vector<double>& values;  // [rows, columns]
  size_t columns;

  double At(int64_t row, size_t column) const { return values[static_cast<size_t>(row) * columns + column]; }
};

/// The exponent of a power of two near `size`, or 0 where nothing has to be scaled.
int UnitExponent(double size) {
  const int exponent = std::ilogb(size);
  if (exponent >= kSmallExponent && exponent <= kLargeExponent) return 0;
  return std::clamp(exponent, -kMostExponent, kMostExponent);
}

/// Measures one column whose numbers are so large or so small that their sum or squares may leave the range of a
/// double.
void MeasureExtreme(const Numbers& numbers, std::span<const int64_t> rows, size_t column, double min, double max,
                    FeatureScaling& scaling) {
  double count = 0;
  const int large = std::max(UnitExponent(std::max(std::abs(min), std::abs(max))), 0);
  double mean = 0;
  for (const int64_t row : rows) {
    const double value = numbers.At(row, column);
    if (std::isnan(value)) continue;
    mean += std::ldexp(value, -large);
    ++count;
  }
  mean /= count;
  // Halved first, because max - min may overflow.
  const int unit = UnitExponent(max / 2 - min / 2);
  double squares = 0;
  for (const int64_t row : rows) {
    const double value = numbers.At(row, column);
    if (std::isnan(value)) continue;
    const double offset = std::ldexp(value, -large) - mean;
    const double scaled = std::ldexp(offset, large - unit);
    squares += scaled * scaled;
  }
  scaling.mean[column] = std::ldexp(mean, large);
  // Not below the smallest double, because a scale of 0 is useless.
  scaling.stddev[column] =
      std::max(std::ldexp(std::sqrt(squares / count), unit), std::numeric_limits<double>::denorm_min());
}

FeatureScaling Measure(const Numbers& numbers, std::span<const int64_t> rows, bool extremes) {
  const size_t columns = numbers.columns;
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  std::vector<double> min(columns, kInfinity), max(columns, -kInfinity), counts(columns);
  FeatureScaling scaling{std::vector<double>(columns), std::vector<double>(columns)};
  for (const int64_t row : rows) {
    for (size_t i = 0; i < columns; ++i) {
      const double value = numbers.At(row, i);
      if (std::isnan(value)) continue;
      ++counts[i];
      scaling.mean[i] += value;
      min[i] = std::min(min[i], value);
      max[i] = std::max(max[i], value);
    }
  }
  for (size_t i = 0; i < columns; ++i) scaling.mean[i] /= std::max(counts[i], 1.0);
  for (const int64_t row : rows) {
    for (size_t i = 0; i < columns; ++i) {
      const double offset = numbers.At(row, i) - scaling.mean[i];
      if (!std::isnan(offset)) scaling.stddev[i] += offset * offset;
    }
  }
  for (size_t i = 0; i < columns; ++i) {
    scaling.stddev[i] = std::sqrt(scaling.stddev[i] / std::max(counts[i], 1.0));
    if (counts[i] == 0) {
      scaling.stddev[i] = 1;
    } else if (min[i] == max[i]) {
      // Rounding can give a constant column a tiny deviation, which would blow its noise up to the size of 1.
      scaling.mean[i] = min[i];
      scaling.stddev[i] = 1;
    } else if (extremes && (UnitExponent(max[i] / 2 - min[i] / 2) != 0 ||
                            UnitExponent(std::max(std::abs(min[i]), std::abs(max[i]))) > 0)) {
      MeasureExtreme(numbers, rows, i, min[i], max[i], scaling);
    } else if (scaling.stddev[i] == 0) {
      scaling.stddev[i] = 1;  // Happens only without `extremes`.
    }
  }
  return scaling;
}

Numbers FeaturesOf(const CsvTable& table) { return {table.values, static_cast<size_t>(table.features)}; }

std::string ListFeatures(const CsvTable& table, const std::vector<size_t>& features) {
  constexpr size_t kMostNamed = 5;
  std::vector<std::string> names;
  for (size_t i = 0; i < std::min(features.size(), kMostNamed); ++i) {
    names.push_back(FeatureName(table, static_cast<int64_t>(features[i])));
  }
  return fmt::format("feature{} {}{}", features.size() == 1 ? "" : "s", fmt::join(names, ", "),
                     features.size() > kMostNamed ? fmt::format(" and {} more", features.size() - kMostNamed) : "");
}

}  // namespace

FeatureScaling MeasureScaling(const CsvTable& table, std::span<const int64_t> rows) {
  FeatureScaling scaling = Measure(FeaturesOf(table), rows, true);
  for (int64_t j = 0; j < table.features; ++j) {
    if (!table.IsCategorical(j)) continue;
    scaling.mean[static_cast<size_t>(j)] = 0;
    scaling.stddev[static_cast<size_t>(j)] = 1;
  }
  return scaling;
}

FeatureScaling MeasureTargetScaling(const CsvTable& table, std::span<const int64_t> rows) {
  return Measure({table.targets, static_cast<size_t>(table.num_targets)}, rows, true);
}

FeatureScaling MeasureScalingAsEarlier(const CsvTable& table, std::span<const int64_t> rows) {
  return Measure(FeaturesOf(table), rows, false);
}

std::vector<std::string> NoteRounding(const CsvTable& table, std::span<const int64_t> rows,
                                      const FeatureScaling& scaling) {
  std::vector<std::string> notes;
  std::vector<size_t> coarse, vanish, merge;
  for (size_t feature = 0; feature < static_cast<size_t>(table.features); ++feature) {
    if (!scaling.mean.empty()) {
      if (scaling.stddev[feature] < std::numeric_limits<double>::min()) coarse.push_back(feature);
      continue;
    }
    if (table.IsCategorical(static_cast<int64_t>(feature))) continue;
    double first = std::numeric_limits<double>::quiet_NaN();  // That is not missing.
    bool vanishes = false, differs = false, differs_as_float = false;
    for (const int64_t row : rows) {
      const double value = table.value(row, static_cast<int64_t>(feature));
      if (std::isnan(value)) continue;
      if (std::isnan(first)) first = value;
      vanishes |= value != 0 && static_cast<float>(value) == 0;
      differs |= value != first;
      differs_as_float |= static_cast<float>(value) != static_cast<float>(first);
    }
    if (differs && !differs_as_float) {
      merge.push_back(feature);
    } else if (vanishes) {
      vanish.push_back(feature);
    }
  }
  if (!coarse.empty()) {
    notes.push_back(
        fmt::format("{}: a standard deviation below {:.2g}, where even 64-bit floats have few digits: multiply by "
                    "a large number",
                    ListFeatures(table, coarse), std::numeric_limits<double>::min()));
  }
  constexpr const char* kCure = "data.csv.standardize: true scales in 64 bits";
  if (!merge.empty()) {
    notes.push_back(fmt::format("{}: values that differ, but are the same 32-bit float in all rows to train on; {}",
                                ListFeatures(table, merge), kCure));
  }
  if (!vanish.empty()) {
    notes.push_back(
        fmt::format("{}: values too small for a 32-bit float, which become 0; {}", ListFeatures(table, vanish), kCure));
  }
  return notes;
}

}  // namespace twofour::train
