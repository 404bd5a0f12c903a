#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "twofour/train/data/csv_table.h"

namespace twofour::train {

/// Throws Error when the table's labels look like a measured quantity (see WhyMeasured), with what was found and which
/// columns could be meant instead, and when all rows have one label. `source` names the file.
void RequireClasses(const CsvTable& table, const CsvOptions& options, const std::string& source);

/// What is odd about the table's columns, a line each: labels that might be a measured quantity, features that are the
/// same in all of `rows`, and a feature that equals the label in every row.
std::vector<std::string> NoteColumns(const CsvTable& table, std::span<const int64_t> rows, const CsvOptions& options);

}  // namespace twofour::train
