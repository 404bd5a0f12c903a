#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "twofour/train/data/csv_table.h"
#include "twofour/train/data/dataset.h"

namespace twofour::train {

/// Mean and population standard deviation of each feature over the `rows` where it is not missing, summed in their
/// order. Works for numbers of any size: where sums or squares would leave the range of a double, the values are first
/// scaled by a power of two. A feature that is constant in `rows` keeps the scale 1; one of categories, or always
/// missing, has mean 0 and scale 1.
FeatureScaling MeasureScaling(const CsvTable& table, std::span<const int64_t> rows);

/// The same for the targets. [targets]
FeatureScaling MeasureTargetScaling(const CsvTable& table, std::span<const int64_t> rows);

/// The same, but without care for very small or large numbers. An earlier twofour measured like this, so its runs still
/// need it.
FeatureScaling MeasureScalingAsEarlier(const CsvTable& table, std::span<const int64_t> rows);

/// What the table's features lose as 32-bit inputs, one line each. With `scaling`: features whose standard deviation is
/// so small that even a double holds it in few digits. Without (empty): values that become 0, and features that become
/// constant in `rows`.
std::vector<std::string> NoteRounding(const CsvTable& table, std::span<const int64_t> rows,
                                      const FeatureScaling& scaling);

}  // namespace twofour::train
