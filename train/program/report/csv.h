#pragma once

#include <optional>
#include <string>
#include <vector>

#include "twofour/train/program/report/run_group.h"

namespace twofour::train {

/// A cell of text as RFC 4180 has it. A spreadsheet would take text that begins with =, +, -, @ or a tab for a formula:
/// it gets an apostrophe before it. Control characters, and bytes that are no UTF-8, become U+FFFD.
std::string CsvText(const std::string& text);

/// A cell with a number that reads back as the same double; empty for none.
std::string CsvNumber(const std::optional<double>& value);

/// A header and one row for each run, in the order of the groups.
std::string RunsAsCsv(const std::vector<RunGroup>& groups);

}  // namespace twofour::train
