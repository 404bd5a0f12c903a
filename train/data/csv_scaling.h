#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "twofour/train/data/csv_table.h"
#include "twofour/train/data/dataset.h"

namespace twofour::train {

/// Mean and population standard deviation of each feature over `rows`, summed in their order, whatever the size of the
/// numbers: sums and squares that would leave the range of a double are taken of values scaled by a power of two. A
/// feature that is the same in all of `rows` keeps the scale 1.
FeatureScaling MeasureScaling(const CsvTable& table, std::span<const int64_t> rows);

/// The same without a care for numbers that are very small or large: the scale of runs that an earlier twofour began.
FeatureScaling MeasureScalingAsEarlier(const CsvTable& table, std::span<const int64_t> rows);

/// What 32-bit inputs lose of the table's features, a line each: with `scaling`, a spread that even a double holds in
/// few digits; without (empty), values that become 0 and features that become the same in all of `rows`.
std::vector<std::string> NoteRounding(const CsvTable& table, std::span<const int64_t> rows,
                                      const FeatureScaling& scaling);

}  // namespace twofour::train
