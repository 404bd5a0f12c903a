#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "twofour/train/data/csv_reader.h"

namespace twofour::train {

/// The character that a delimiter of a config means: itself, or a tab for "tab" and "\t" spelled out. nullopt where it
/// is not one character, or one that means something else in a CSV file.
std::optional<char> ParseDelimiter(std::string_view text);

/// A separator for a message: "','", "a tab".
std::string NameOfSeparator(char separator);

/// What would set the delimiter: "--set 'data.csv.delimiter=;'".
std::string SetDelimiter(char separator);

/// "; line 1 holds ';' 2 times: if columns are separated by it, --set 'data.csv.delimiter=;'", where a row that was
/// read with another delimiter holds what may be the real one; nothing otherwise.
std::string OtherSeparator(const CsvRow& row, char delimiter);

/// The separator that each of `texts` holds, other than `delimiter`; nullopt where there is none.
std::optional<char> SeparatorInAll(const std::vector<std::string>& texts, char delimiter);

/// How many columns at the end are empty in every line, as those are behind which each line has a separator too many;
/// 0 where the rows are of different lengths. The first column does not count.
size_t EmptyColumnsAtEnd(std::string_view text, char delimiter, const std::string& source);

}  // namespace twofour::train
