#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "twofour/train/data/csv_reader.h"

namespace twofour::train {

/// The character that a config's delimiter means: itself, or a tab for "tab" and for a spelled-out "\t". nullopt where
/// the text is not one character, or one that means something else in a CSV file.
std::optional<char> ParseDelimiter(std::string_view text);

/// A separator's name for messages: "','", "a tab".
std::string NameOfSeparator(char separator);

/// The argument that sets the delimiter: "--set 'data.csv.delimiter=;'".
std::string SetDelimiter(char separator);

/// A hint for messages, where a row that was read with `delimiter` holds what may be the real separator: "; line 1
/// holds ';' 2 times: if columns are separated by it, --set 'data.csv.delimiter=;'". Empty otherwise.
std::string OtherSeparator(const CsvRow& row, char delimiter);

/// A hint for messages, where one character separates both columns and decimals: only numbers in quotes can then have
/// decimals. Empty otherwise.
std::string SharedSeparator(char delimiter, char decimal);

/// A separator other than `delimiter` that each of `texts` holds; nullopt where there is none.
std::optional<char> SeparatorInAll(const std::vector<std::string>& texts, char delimiter);

/// How many columns at the end are empty in every line, as when each line ends in extra separators. 0 where the rows
/// are of different lengths. The first column does not count.
size_t EmptyColumnsAtEnd(std::string_view text, char delimiter, const std::string& source);

}  // namespace twofour::train
