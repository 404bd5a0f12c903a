#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "twofour/train/data/csv_table.h"

namespace twofour::train {

/// Throws Error when all rows have the same label, and when the labels look like a measured quantity (see WhyMeasured).
/// The latter message says what was found and which columns could be meant instead. `source` names the file.
void RequireClasses(const CsvTable& table, const CsvOptions& options, const std::string& source);

/// Throws Error when a target is the same number (as f32, where it is not scaled) in all of `rows`. `source` names the
/// file.
void RequireTargetsVary(const CsvTable& table, std::span<const int64_t> rows, const CsvOptions& options,
                        const std::string& source);

/// Throws Error when two labels become the same text in UTF-8, in which data.json is written.
void RequireDistinctInUtf8(const CsvTable& table, const std::string& source);

/// What is odd about the table's columns, one line each: labels that might be a measured quantity, columns with the
/// same name, a feature that numbers the rows, features that are constant in `rows`, a feature that equals the label or
/// a target in every row, and categories that look like missing values.
std::vector<std::string> NoteColumns(const CsvTable& table, std::span<const int64_t> rows, const CsvOptions& options);

/// A note on names that are not UTF-8 and therefore are other bytes in data.json than in the file.
std::vector<std::string> NoteEncoding(const CsvTable& table);

}  // namespace twofour::train
