#include "twofour/train/data/csv_separator.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

namespace twofour::train {
namespace {

// A blank occurs in many names, so it comes last.
constexpr std::string_view kSeparators = ";\t|, ";

}  // namespace

std::optional<char> ParseDelimiter(std::string_view text) {
  if (text == "tab" || text == "\\t") return '\t';
  if (text.size() != 1 || std::string_view("\"\r\n\0", 4).find(text[0]) != std::string_view::npos) return std::nullopt;
  return text[0];
}

std::string NameOfSeparator(char separator) {
  return separator == '\t' ? "a tab" : separator == ' ' ? "a blank" : fmt::format("'{}'", separator);
}

std::string SetDelimiter(char separator) {
  if (separator == '\t') return "--set data.csv.delimiter=tab";
  if (separator == ',') return "--set data.csv.delimiter=,";
  return fmt::format("--set 'data.csv.delimiter={}'", separator);
}

std::string OtherSeparator(const CsvRow& row, char delimiter) {
  if (row.cells.size() == 2 && row.cells[0] == "sep=" && row.cells[1].empty()) {
    return fmt::format("; line {} is a spreadsheet's mark and no row of the table: remove it", row.line);
  }
  for (const char separator : kSeparators) {
    if (separator == delimiter) continue;
    // The comma may be a decimal comma, and the blank may be in a name of several words.
    if ((separator == ',' || separator == ' ') && row.cells.size() > 1) continue;
    if (separator == ' ' && row.cells[0].starts_with('#')) continue;  // A comment.
    int64_t count = 0;
    for (const std::string& cell : row.cells) count += std::ranges::count(cell, separator);
    if (count == 0) continue;
    return fmt::format("; line {} holds {} {}: if columns are separated by it, {}", row.line,
                       NameOfSeparator(separator), count == 1 ? "once" : fmt::format("{} times", count),
                       SetDelimiter(separator));
  }
  return "";
}

std::string SharedSeparator(char delimiter, char decimal) {
  if (delimiter != decimal) return "";
  return fmt::format(
      "; {} is both data.csv.delimiter and data.csv.decimal, expected two characters, or quotes around numbers with "
      "decimals",
      NameOfSeparator(delimiter));
}

std::optional<char> SeparatorInAll(const std::vector<std::string>& texts, char delimiter) {
  for (const char separator : {';', '\t', '|'}) {
    const bool in_all = std::ranges::all_of(
        texts, [separator](const std::string& text) { return text.find(separator) != std::string::npos; });
    if (separator != delimiter && !texts.empty() && in_all) return separator;
  }
  return std::nullopt;
}

size_t EmptyColumnsAtEnd(std::string_view text, char delimiter, const std::string& source) {
  CsvReader reader(text, delimiter, source);
  CsvRow row;
  size_t columns = 0, empty = 0;
  for (bool first = true; reader.Next(row); first = false) {
    if (!first && row.cells.size() != columns) return 0;
    columns = row.cells.size();
    if (first) empty = columns - 1;
    const auto filled =
        std::find_if(row.cells.rbegin(), row.cells.rend(), [](const std::string& cell) { return !cell.empty(); });
    empty = std::min(empty, static_cast<size_t>(filled - row.cells.rbegin()));
    if (empty == 0) return 0;
  }
  return empty;
}

}  // namespace twofour::train
