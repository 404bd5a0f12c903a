#include "twofour/train/data/csv_checks.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <set>

#include "twofour/core/error.h"
#include "twofour/train/data/label_text.h"
#include "twofour/train/data/text.h"

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

/// The feature's name, or its place where the file has no header.
std::string FeatureName(const CsvTable& table, int64_t feature) {
  return table.feature_names.empty() ? fmt::format("{} (counted from 0, without the label)", feature)
                                     : Quoted(table.feature_names[static_cast<size_t>(feature)]);
}

/// "column "price"", or its place where the file has no header.
std::string LabelColumn(const CsvTable& table) {
  return table.feature_names.empty() ? fmt::format("column {} (counted from 0)", table.label_column)
                                     : fmt::format("column {}", Quoted(table.label_name));
}

/// What data.csv.label would be for a feature: its name or, without a header, its column.
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

/// A feature that is the label itself, as a number.
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

std::vector<std::string> NoteColumns(const CsvTable& table, std::span<const int64_t> rows, const CsvOptions& options) {
  std::vector<std::string> notes;
  const auto measured = WhyPerhapsMeasured(table.label_names, RowsOfLabels(table));
  if (measured && !options.numeric_classes) {
    notes.push_back(fmt::format("{}, the label, holds {}: is it a measured quantity? Each is a class of its own here",
                                LabelColumn(table), *measured));
  }
  if (auto note = ConstantFeatures(table, rows)) notes.push_back(std::move(*note));
  if (auto note = LeakedLabel(table)) notes.push_back(std::move(*note));
  return notes;
}

}  // namespace twofour::train
