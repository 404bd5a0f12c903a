#include "twofour/train/data/csv_checks.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
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

/// "column "price"", or its index where the file has no header.
std::string LabelColumn(const CsvTable& table) {
  return NameOfColumn(table.label_name, static_cast<size_t>(table.label_column), table.has_header());
}

/// The value of data.csv.label that would select a feature: its name or, without a header, its column index.
std::string AsLabel(const CsvTable& table, int64_t feature) {
  const auto i = static_cast<size_t>(feature);
  return table.feature_names.empty() ? fmt::format("{}", table.feature_columns[i]) : Quoted(table.feature_names[i]);
}

/// "; columns of few values: "species" (3), "sex" (2)", or nothing.
std::string OtherColumns(const CsvTable& table) {
  constexpr size_t kMostValues = 20, kMostColumns = 3;
  std::vector<std::string> found;
  for (int64_t feature = 0; feature < table.features; ++feature) {
    std::set<double> values;
    for (int64_t row = 0; row < table.rows() && values.size() <= kMostValues; ++row) {
      if (const double value = table.value(row, feature); !std::isnan(value)) values.insert(value);
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
    double known = std::numeric_limits<double>::quiet_NaN();  // The first that is not missing.
    const bool constant = std::ranges::all_of(rows, [&](int64_t row) {
      const double value = table.value(row, feature);
      if (std::isnan(known)) known = value;
      return std::isnan(value) || value == known;
    });
    if (constant && ++count <= kMostNamed) names.push_back(FeatureName(table, feature));
  }
  if (count == 0 || rows.size() < 2) return std::nullopt;
  const std::string more = count > kMostNamed ? fmt::format(" and {} more", count - kMostNamed) : "";
  return fmt::format("feature{} {}{}: the same value in all rows to train on", count == 1 ? "" : "s",
                     fmt::join(names, ", "), more);
}

/// A note on categories that occur in rows that are held out, and in no others.
std::optional<std::string> UnseenCategories(const CsvTable& table, std::span<const int64_t> rows) {
  std::vector<std::string> found;
  size_t count = 0;
  for (int64_t feature = 0; feature < table.features; ++feature) {
    if (!table.IsCategorical(feature)) continue;
    const TableColumn& column = table.columns[table.feature_columns[static_cast<size_t>(feature)]];
    std::vector<bool> seen(column.categories.size());
    for (const int64_t row : rows) {
      const double value = table.value(row, feature);
      if (!std::isnan(value)) seen[static_cast<size_t>(value)] = true;
    }
    for (size_t i = 0; i < seen.size(); ++i) {
      if (seen[i] || ++count > kMostNamed) continue;
      found.push_back(fmt::format("{} of {}", Quoted(AsUtf8(column.categories[i])), FeatureName(table, feature)));
    }
  }
  if (count == 0) return std::nullopt;
  return fmt::format("categor{} {}{}: in no row to train on, so that the weights for {} stay random",
                     count == 1 ? "y" : "ies", fmt::join(found, ", "),
                     count > kMostNamed ? fmt::format(" and {} more", count - kMostNamed) : "",
                     count == 1 ? "it" : "them");
}

/// A note on names that several columns share, unless they are dropped.
std::optional<std::string> DoubleNames(const CsvTable& table) {
  if (!table.has_header()) return std::nullopt;
  std::map<std::string, int64_t> counts;
  for (const TableColumn& column : table.columns) {
    if (column.use != TableColumn::Use::kDropped) ++counts[AsUtf8(column.name)];
  }
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
  const double first = table.value(0, feature);
  if (first != 0 && first != 1) return false;
  for (int64_t row = 1; row < table.rows(); ++row) {
    if (table.value(row, feature) != first + static_cast<double>(row)) return false;
  }
  return true;
}

/// Whether the feature's values are whole numbers of at least 0, no two of them the same.
bool NumbersRows(const CsvTable& table, int64_t feature) {
  std::unordered_set<double> values;
  for (int64_t row = 0; row < table.rows(); ++row) {
    const double value = table.value(row, feature);
    if (value < 0 || value != std::floor(value) || !values.insert(value).second) return false;
  }
  return true;
}

/// A note on a column that numbers the rows and measures nothing. Such a column counts the rows, and there are
/// many, or it has a name like "index" or comes first in a file without a header. Or it has no name of its own (pandas
/// writes its index so) and holds different whole numbers.
std::optional<std::string> RowNumbers(const CsvTable& table) {
  constexpr int64_t kEnoughRows = 10, kManyRows = 100;
  constexpr std::array<std::string_view, 8> kNames = {"index", "id", "idx", "row", "rowid", "row_id", "nr", "no"};
  if (table.rows() < kEnoughRows) return std::nullopt;
  for (int64_t feature = 0; feature < table.features; ++feature) {
    if (table.IsCategorical(feature)) continue;
    const std::string name = table.has_header() ? NormalForm(table.feature_names[static_cast<size_t>(feature)]) : "";
    const bool unnamed = table.has_header() && (name.empty() || name.starts_with("unnamed:"));
    const bool may_count =
        table.rows() >= kManyRows ||
        (table.has_header() ? std::ranges::find(kNames, name) != kNames.end() : feature == 0 && table.features > 1);
    if (!(unnamed && NumbersRows(table, feature)) && !(may_count && CountsRows(table, feature))) continue;
    return fmt::format(
        "feature {} numbers the rows, {} to {}: it is no measurement, and the order of rows may give "
        "the {} away; data.csv.drop leaves a column out",
        FeatureName(table, feature), table.value(0, feature), table.value(table.rows() - 1, feature),
        table.has_labels() ? "classes" : "targets");
  }
  return std::nullopt;
}

/// A note on a feature that is the label itself, as a number, or one of the targets.
std::optional<std::string> LeakedTarget(const CsvTable& table) {
  std::vector<double> numbers;
  for (const std::string& name : table.label_names) {
    const std::optional<double> number = ParseNumber(name);
    if (!number) return std::nullopt;
    numbers.push_back(*number);
  }
  const auto target_of = [&](int64_t row, int64_t target) {
    return table.has_labels() ? numbers[static_cast<size_t>(table.labels[static_cast<size_t>(row)])]
                              : table.targets[static_cast<size_t>(row * table.num_targets + target)];
  };
  for (int64_t feature = 0; feature < table.features; ++feature) {
    if (table.IsCategorical(feature)) continue;
    for (int64_t target = 0; target < std::max(table.num_targets, int64_t{1}); ++target) {
      int64_t row = 0;
      while (row < table.rows() && table.value(row, feature) == target_of(row, target)) ++row;
      if (row < table.rows()) continue;
      return fmt::format("feature {} equals {} in every row", FeatureName(table, feature),
                         table.has_labels() ? "the label" : "a target");
    }
  }
  return std::nullopt;
}

/// A note on words that many tables write where a value is missing, but that are categories here.
std::optional<std::string> MissingAsCategory(const CsvTable& table) {
  for (int64_t feature = 0; feature < table.features; ++feature) {
    if (!table.IsCategorical(feature)) continue;
    const auto& categories = table.columns[table.feature_columns[static_cast<size_t>(feature)]].categories;
    const auto found = std::ranges::find_if(categories, [](const std::string& word) { return LooksMissing(word); });
    if (found == categories.end()) continue;
    return fmt::format("feature {}: {} is a category like others; data.csv.missing takes it for a missing value",
                       FeatureName(table, feature), Quoted(*found));
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
        fmt::format("{}: {}, the label, holds {}: a measured quantity and not classes. To predict it, "
                    "data.csv.target: {}. Otherwise expected the column of the class (data.csv.label){}; or, where "
                    "each number is a class, data.csv.numeric_classes: true",
                    source, LabelColumn(table), *found,
                    table.has_header() ? Quoted(table.label_name) : fmt::format("\"{}\"", table.label_column),
                    OtherColumns(table)));
  }
}

void RequireTargetsVary(const CsvTable& table, std::span<const int64_t> rows, const CsvOptions& options,
                        const std::string& source) {
  const std::vector<size_t> places = PlacesOf(table.columns, TableColumn::Use::kTarget);
  for (int64_t target = 0; target < table.num_targets; ++target) {
    const auto same = [&](int64_t row, int64_t other) {
      const auto value = [&](int64_t r) { return table.targets[static_cast<size_t>(r * table.num_targets + target)]; };
      return options.standardize_targets ? value(row) == value(other)
                                         : static_cast<float>(value(row)) == static_cast<float>(value(other));
    };
    if (!std::ranges::all_of(rows, [&](int64_t row) { return same(row, rows[0]); })) continue;
    const size_t place = places[static_cast<size_t>(target)];
    throw Error(fmt::format("{}: {}, a target, is {} in all {} rows to train on, expected numbers that differ", source,
                            NameOfColumn(table.columns[place].name, place, table.has_header()),
                            table.targets[static_cast<size_t>(rows[0] * table.num_targets + target)], rows.size()));
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
  std::vector<std::string> texts, shown;
  for (const TableColumn& column : table.columns) texts.push_back(column.name);
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
  if (auto note = UnseenCategories(table, rows)) notes.push_back(std::move(*note));
  if (auto note = LeakedTarget(table)) notes.push_back(std::move(*note));
  if (auto note = MissingAsCategory(table)) notes.push_back(std::move(*note));
  return notes;
}

}  // namespace twofour::train
