#pragma once

#include <optional>
#include <string>
#include <vector>

#include "twofour/train/program/report/run_group.h"

namespace twofour::train {

/// A text cell in the format of RFC 4180. An apostrophe is put before text that begins with =, +, -, @, a tab or a line
/// break, because a spreadsheet would take it for a formula. Control characters, and bytes that are not UTF-8, become
/// U+FFFD.
std::string CsvText(const std::string& text);

/// A cell with a number that reads back as the same double. Empty if there is none or it is not finite.
std::string CsvNumber(const std::optional<double>& value);

/// A header and one row for each run, in the order of the groups.
std::string RunsAsCsv(const std::vector<RunGroup>& groups);

}  // namespace twofour::train
