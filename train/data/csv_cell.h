#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "twofour/train/data/csv.h"

namespace twofour::train {

/// Text as a cell of a CSV file that CsvReader gives back: in quotes where it must be.
std::string AsCsvCell(std::string_view text, char delimiter);

/// The number in a cell, written with the options' separators; nullopt where the cell is no number. Where thousands
/// have a separator, it must stand before each third digit, or nowhere.
std::optional<double> ParseCell(std::string_view cell, const CsvOptions& options);

}  // namespace twofour::train
