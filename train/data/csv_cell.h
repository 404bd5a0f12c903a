#pragma once

#include <string>
#include <string_view>

namespace twofour::train {

/// Text as a cell of a CSV file that CsvReader gives back: in quotes where it must be.
std::string AsCsvCell(std::string_view text, char delimiter);

}  // namespace twofour::train
