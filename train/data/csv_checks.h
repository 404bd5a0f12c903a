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

/// Throws Error when two labels are the same text once they are written in UTF-8, as data.json is.
void RequireDistinctInUtf8(const CsvTable& table, const std::string& source);

/// What is odd about the table's columns, a line each: labels that might be a measured quantity, columns of one name,
/// features that count the rows, or that are the same in all of `rows`, and a feature that equals the label in every
/// row.
std::vector<std::string> NoteColumns(const CsvTable& table, std::span<const int64_t> rows, const CsvOptions& options);

/// Names that are not UTF-8 and so are written into data.json in another way than they stand in the file.
std::vector<std::string> NoteEncoding(const CsvTable& table);

}  // namespace twofour::train
