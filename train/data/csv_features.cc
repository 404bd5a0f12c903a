#include "twofour/train/data/csv_features.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <string_view>

#include "twofour/core/error.h"
#include "twofour/train/data/csv_cell.h"
#include "twofour/train/data/csv_separator.h"
#include "twofour/train/data/label_text.h"
#include "twofour/train/data/text.h"
#include "twofour/train/data/utf8.h"

namespace twofour::train {
CsvFeatures::CsvFeatures(const CsvLayout& layout, const CsvOptions& options, const std::string& source,
                         bool learn_words)
    : layout_(layout),
      options_(options),
      source_(source),
      learn_words_(learn_words && options.words == CsvOptions::Words::kCategories),
      columns_(layout.columns) {}

double CsvFeatures::Read(const std::string& cell, size_t column, const CsvRow& row) {
  if (options_.missing != CsvOptions::Missing::kRefuse && LooksMissing(cell)) return kMissingValue;
  if (layout_.categorical[column]) {
    if (cell.empty()) Fail(cell, column, row, "is empty; data.csv.missing: MEAN takes this as a category of its own");
    return Intern(cell, column, row);
  }
  const std::optional<double> value = ParseCell(cell, options_);
  // Scaling subtracts two values, and the difference must still be a double. A value that is not scaled becomes a
  // 32-bit float as it is.
  const double most = options_.standardize ? std::numeric_limits<double>::max() / 4
                                           : static_cast<double>(std::numeric_limits<float>::max());
  // Written so that NaN fails too.
  if (value && std::abs(*value) <= most) {
    Column& known = columns_[column];
    if (known.number_line == 0) {
      known.number_line = row.line;
      known.number = cell;
    }
    return *value;
  }
  // "inf" and "nan" are words here. "1,234" is more likely a number in another notation.
  const bool is_word = !(value && std::isfinite(*value)) && !cell.empty() && !IsOutOfRange(cell) && !LooseNumber(cell);
  if (learn_words_ && is_word) return Intern(cell, column, row);
  Fail(cell, column, row, WhyNoFeature(cell, row));
}

double CsvFeatures::ReadTarget(const std::string& cell, size_t column, const CsvRow& row) const {
  const std::optional<double> value = ParseCell(cell, options_);
  const double most = options_.standardize_targets ? std::numeric_limits<double>::max() / 4
                                                   : static_cast<double>(std::numeric_limits<float>::max());
  if (value && std::abs(*value) <= most) return *value;
  if (LooksMissing(cell)) Fail(cell, column, row, "is missing, expected a target in every row");
  Fail(cell, column, row, WhyNoNumber(cell, options_.standardize_targets) + "; classes are data.csv.label");
}

double CsvFeatures::Intern(const std::string& cell, size_t column, const CsvRow& row) {
  Column& known = columns_[column];
  if (known.word_line == 0) {
    known.word_line = row.line;
    known.word = cell;
  }
  ++known.cells;
  known.other_encoding |= AsUtf8(cell) != cell;
  const size_t index = known.words.try_emplace(AsUtf8(cell), known.words.size()).first->second;
  const bool named = layout_.categorical[column];
  const size_t most = named ? kMostCategories : kMostWords;
  if (known.words.size() > most) {
    throw Error(fmt::format("{}: line {}, {}: more than {} different words; data.csv.drop leaves the column out{}",
                            source_, row.line, layout_.NameOfColumn(column), most,
                            named ? "" : fmt::format(", data.csv.categorical takes up to {}", kMostCategories)));
  }
  return static_cast<double>(index);
}

/// Throws Error unless the words of a column that the options do not name may be categories.
void CsvFeatures::RequireSound(size_t column) const {
  constexpr int64_t kEnoughCells = 20;
  const Column& known = columns_[column];
  if (layout_.categorical[column] || known.words.empty()) return;
  const std::string reference = layout_.has_header ? Quoted(layout_.names[column]) : fmt::format("\"{}\"", column);
  if (known.number_line != 0) {
    throw Error(
        fmt::format("{}: {}: line {} holds {}, a number, and line {} {}, a word; expected one kind; where "
                    "each is a category, data.csv.categorical: {}{}",
                    source_, layout_.NameOfColumn(column), known.number_line, Quoted(known.number), known.word_line,
                    Quoted(known.word), reference,
                    LooksMissing(known.word) ? "; data.csv.missing says what takes the place of missing ones" : ""));
  }
  if (known.cells >= kEnoughCells && 2 * std::ssize(known.words) > known.cells) {
    throw Error(
        fmt::format("{}: {}: {} different words in {} rows, such as {}, from which nothing can be learnt; "
                    "data.csv.drop: {} leaves the column out, data.csv.categorical: {} takes it all the same",
                    source_, layout_.NameOfColumn(column), known.words.size(), known.cells, Quoted(known.word),
                    reference, reference));
  }
}

void CsvFeatures::Finish(CsvTable& table) const {
  const auto features = static_cast<size_t>(table.features);
  for (size_t j = 0; j < features; ++j) {
    const size_t column = table.feature_columns[j];
    RequireSound(column);
    const auto& words = columns_[column].words;
    if (words.empty()) continue;
    std::vector<std::string> sorted;
    for (const auto& [word, index] : words) sorted.push_back(word);
    sorted = SortedNames(std::move(sorted));
    std::vector<double> place_of(words.size());
    for (size_t i = 0; i < sorted.size(); ++i) place_of[words.at(sorted[i])] = static_cast<double>(i);
    for (size_t at = j; at < table.values.size(); at += features) {
      double& value = table.values[at];
      if (!std::isnan(value)) value = place_of[static_cast<size_t>(value)];
    }
    table.columns[column].categories = std::move(sorted);
    if (!columns_[column].other_encoding) continue;
    table.notes.push_back(
        fmt::format("{}: {}: words that are not UTF-8 are read as Latin-1", source_, layout_.NameOfColumn(column)));
  }
}

/// Why a cell is not a number, and what may help.
std::string CsvFeatures::WhyNoNumber(const std::string& cell, bool scaled) const {
  const std::optional<double> value = ParseCell(cell, options_);
  if (value && std::isfinite(*value)) return scaled ? "is too large, even for a 64-bit float" : "is not a 32-bit float";
  if (IsOutOfRange(cell)) return "is not a 64-bit float: it is beyond the range of one";
  std::string why = options_.decimal == '.' ? "is not a finite number" : "is not a finite number with a decimal comma";
  CsvOptions other = options_;
  other.decimal = ',';
  other.thousands = '\0';
  if (options_.decimal == '.' && cell.find(',') != std::string::npos && ParseCell(cell, other)) {
    why += "; if the comma stands before decimals, --set data.csv.decimal=,";
  }
  other.decimal = options_.decimal;
  for (const char separator : {',', '.', ' ', '\'', '_'}) {
    other.thousands = separator;
    if (separator == options_.decimal || options_.thousands != '\0' || cell.find(separator) == std::string::npos)
      continue;
    if (!ParseCell(cell, other)) continue;
    why += fmt::format("; if {} parts thousands, --set 'data.csv.thousands={}'", NameOfSeparator(separator), separator);
    return why;
  }
  for (const std::string_view sign : {"$", "%", "€", "£", "¥"}) {
    if (!LooseNumber(cell) || cell.find(sign) == std::string::npos) continue;
    return why + "; numbers stand alone, without $, % and the like";
  }
  return why;
}

/// Why a cell cannot be a feature, and what may help.
std::string CsvFeatures::WhyNoFeature(const std::string& cell, const CsvRow& row) const {
  std::string why = WhyNoNumber(cell, options_.standardize);
  const std::optional<double> value = ParseCell(cell, options_);
  if ((value && std::isfinite(*value)) || IsOutOfRange(cell)) return why;
  if (layout_.has_header && layout_.label && layout_.names[*layout_.label].empty()) {
    why += "; the label is the column \"\" (data.csv.label)";
  }
  const bool guessed = options_.header == CsvOptions::Header::kAuto && !layout_.has_header;
  const bool no_names = row.line != layout_.first_line || layout_.has_header;
  // An empty first cell may be the name of an index column.
  if (guessed && row.line == layout_.first_line && (!cell.empty() || &cell == row.cells.data())) {
    why += "; the line was taken for data, and names the columns with data.csv.header: YES";
  } else if (no_names && LooksMissing(cell)) {
    why += "; data.csv.missing says what takes the place of a missing one";
  } else if (no_names && !LooseNumber(cell) && options_.words == CsvOptions::Words::kRefuse) {
    why += "; data.csv.words: CATEGORIES takes words, data.csv.drop leaves a column out";
  }
  return why + layout_.other_separator;
}

void CsvFeatures::Fail(const std::string& cell, size_t column, const CsvRow& row, const std::string& why) const {
  throw Error(
      fmt::format("{}: line {}, {}: {} {}", source_, row.line, layout_.NameOfColumn(column), Quoted(cell), why));
}

}  // namespace twofour::train
