#include "twofour/train/data/csv_checks.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/train/data/label_text.h"
#include "twofour/train/data/text.h"
#include "twofour/train/data/utf8.h"

namespace twofour::train {
namespace {

constexpr size_t kMostNamed = 5;

std::vector<int64_t> RowsOfLabels(const CsvTable& table) {
  std::vector<int64_t> counts(table.label_names.size());
  for (const int32_t label : table.labels) ++counts[static_cast<size_t>(label)];
  return counts;
}

double Value(const CsvTable& table, int64_t row, int64_t feature) {
  return table.values[static_cast<size_t>(row * table.features + feature)];
}

/// "column "price"", or its index where the file has no header.
std::string LabelColumn(const CsvTable& table) {
  return table.feature_names.empty() ? fmt::format("column {} (counted from 0)", table.label_column)
                                     : fmt::format("column {}", Quoted(table.label_name));
}

/// The value of data.csv.label that would select a feature: its name or, without a header, its column index.
std::string AsLabel(const CsvTable& table, int64_t feature) {
  return table.feature_names.empty() ? fmt::format("{}", feature < table.label_column ? feature : feature + 1)
                                     : Quoted(table.feature_names[static_cast<size_t>(feature)]);
}

/// "; columns of few values: "species" (3), "sex" (2)", or nothing.
std::string OtherColumns(const CsvTable& table) {
  constexpr size_t kMostValues = 20, kMostColumns = 3;
  std::vector<std::string> found;
  for (int64_t feature = 0; feature < table.features; ++feature) {
    std::set<double> values;
    for (int64_t row = 0; row < table.rows() && values.size() <= kMostValues; ++row) {
      values.insert(Value(table, row, feature));
    }
    if (values.size() < 2 || values.size() > kMostValues) continue;
    found.push_back(fmt::format("{} ({})", AsLabel(table, feature), values.size()));
    if (found.size() == kMostColumns) break;
  }
  return found.empty() ? "" : fmt::format("; columns of few values: {}", fmt::join(found, ", "));
}

std::optional<std::string> ConstantFeatures(const CsvTable& table, std::span<const int64_t> rows) {
  std::vector<std::string> names;
  size_t count = 0;
  for (int64_t feature = 0; feature < table.features; ++feature) {
    const double first = Value(table, rows[0], feature);
    const bool constant = std::ranges::all_of(rows, [&](int64_t row) { return Value(table, row, feature) == first; });
    if (constant && ++count <= kMostNamed) names.push_back(FeatureName(table, feature));
  }
  if (count == 0 || rows.size() < 2) return std::nullopt;
  const std::string more = count > kMostNamed ? fmt::format(" and {} more", count - kMostNamed) : "";
  return fmt::format("feature{} {}{}: the same value in all rows to train on", count == 1 ? "" : "s",
                     fmt::join(names, ", "), more);
}

/// A note on names that several columns share. The label's column counts, too.
std::optional<std::string> DoubleNames(const CsvTable& table) {
  if (!table.has_header()) return std::nullopt;
  std::map<std::string, int64_t> counts;
  ++counts[AsUtf8(table.label_name)];
  for (const std::string& name : table.feature_names) ++counts[AsUtf8(name)];
  std::vector<std::string> shown;
  size_t found = 0;
  for (const auto& [name, count] : counts) {
    if (count > 1 && ++found <= kMostNamed) shown.push_back(fmt::format("{} ({})", Quoted(name), count));
  }
  if (found == 0) return std::nullopt;
  return fmt::format("columns of one name: {}{}; data.json names them all the same", fmt::join(shown, ", "),
                     found > kMostNamed ? fmt::format(" and {} more", found - kMostNamed) : "");
}

/// Whether the feature is 0, 1, 2 and so on from row to row, or 1, 2, 3.
bool CountsRows(const CsvTable& table, int64_t feature) {
  const double first = Value(table, 0, feature);
  if (first != 0 && first != 1) return false;
  for (int64_t row = 1; row < table.rows(); ++row) {
    if (Value(table, row, feature) != first + static_cast<double>(row)) return false;
  }
  return true;
}

/// Whether the feature's values are whole numbers of at least 0, no two of them the same.
bool NumbersRows(const CsvTable& table, int64_t feature) {
  std::unordered_set<double> values;
  for (int64_t row = 0; row < table.rows(); ++row) {
    const double value = Value(table, row, feature);
    if (value < 0 || value != std::floor(value) || !values.insert(value).second) return false;
  }
  return true;
}

/// A note on a column that numbers the rows and measures nothing. Such a column counts the rows, and has a name like
/// "index" or comes first in a file without a header. Or it has no name of its own (pandas writes its index so) and
/// holds different whole numbers.
std::optional<std::string> RowNumbers(const CsvTable& table) {
  constexpr int64_t kEnoughRows = 10;
  constexpr std::array<std::string_view, 8> kNames = {"index", "id", "idx", "row", "rowid", "row_id", "nr", "no"};
  if (table.rows() < kEnoughRows) return std::nullopt;
  for (int64_t feature = 0; feature < table.features; ++feature) {
    const std::string name = table.has_header() ? NormalForm(table.feature_names[static_cast<size_t>(feature)]) : "";
    const bool unnamed = table.has_header() && (name.empty() || name.starts_with("unnamed:"));
    const bool may_count =
        table.has_header() ? std::ranges::find(kNames, name) != kNames.end() : feature == 0 && table.features > 1;
    if (!(unnamed && NumbersRows(table, feature)) && !(may_count && CountsRows(table, feature))) continue;
    return fmt::format(
        "feature {} numbers the rows, {} to {}: it is no measurement, and the order of rows may give "
        "the classes away; leave the column out of the file",
        FeatureName(table, feature), Value(table, 0, feature), Value(table, table.rows() - 1, feature));
  }
  return std::nullopt;
}

/// A note on a feature that is the label itself, as a number.
std::optional<std::string> LeakedLabel(const CsvTable& table) {
  std::vector<double> numbers;
  for (const std::string& name : table.label_names) {
    const std::optional<double> number = ParseNumber(name);
    if (!number) return std::nullopt;
    numbers.push_back(*number);
  }
  for (int64_t feature = 0; feature < table.features; ++feature) {
    int64_t row = 0;
    while (row < table.rows() && Value(table, row, feature) == numbers[static_cast<size_t>(table.labels[row])]) ++row;
    if (row == table.rows())
      return fmt::format("feature {} equals the label in every row", FeatureName(table, feature));
  }
  return std::nullopt;
}

}  // namespace

void RequireClasses(const CsvTable& table, const CsvOptions& options, const std::string& source) {
  if (table.label_names.size() < 2) {
    throw Error(
        fmt::format("{}: every label is {}, expected at least 2 classes", source, Quoted(table.label_names[0])));
  }
  if (options.numeric_classes) return;
  if (const auto found = WhyMeasured(table.label_names, RowsOfLabels(table))) {
    throw Error(
        fmt::format("{}: {}, the label, holds {}: a measured quantity and not classes; regression is not "
                    "supported yet. Expected the column of the class (data.csv.label){}; or, where each "
                    "number is a class, data.csv.numeric_classes: true",
                    source, LabelColumn(table), *found, OtherColumns(table)));
  }
}

void RequireDistinctInUtf8(const CsvTable& table, const std::string& source) {
  std::unordered_map<std::string, std::string> names;
  for (const std::string& name : table.label_names) {
    const auto [other, is_new] = names.emplace(AsUtf8(name), name);
    if (is_new) continue;
    throw Error(
        fmt::format("{}: the class {} is there both in UTF-8 and in another encoding (Latin-1?); expected UTF-8 "
                    "alone",
                    source, Quoted(name)));
  }
}

std::vector<std::string> NoteEncoding(const CsvTable& table) {
  std::vector<std::string> texts = table.feature_names, shown;
  texts.push_back(table.label_name);
  texts.insert(texts.end(), table.label_names.begin(), table.label_names.end());
  size_t found = 0;
  for (const std::string& text : texts) {
    if (AsUtf8(text) != text && ++found <= kMostNamed) shown.push_back(Quoted(text));
  }
  if (found == 0) return {};
  return {fmt::format("names that are not UTF-8 are read as Latin-1, and so written into data.json: {}{}",
                      fmt::join(shown, ", "),
                      found > kMostNamed ? fmt::format(" and {} more", found - kMostNamed) : "")};
}

std::vector<std::string> NoteColumns(const CsvTable& table, std::span<const int64_t> rows, const CsvOptions& options) {
  std::vector<std::string> notes;
  const auto measured = WhyPerhapsMeasured(table.label_names, RowsOfLabels(table));
  if (measured && !options.numeric_classes) {
    notes.push_back(fmt::format("{}, the label, holds {}: is it a measured quantity? Each is a class of its own here",
                                LabelColumn(table), *measured));
  }
  if (auto note = DoubleNames(table)) notes.push_back(std::move(*note));
  if (auto note = RowNumbers(table)) notes.push_back(std::move(*note));
  if (auto note = ConstantFeatures(table, rows)) notes.push_back(std::move(*note));
  if (auto note = LeakedLabel(table)) notes.push_back(std::move(*note));
  return notes;
}

}  // namespace twofour::train
