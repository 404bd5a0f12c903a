#include "twofour/train/data/csv_categories.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "twofour/core/error.h"
#include "twofour/train/data/label_text.h"
#include "twofour/train/data/text.h"

namespace twofour::train {
namespace {

/// The first row in which feature j has this value.
int64_t FirstRow(const CsvTable& table, int64_t j, double value) {
  int64_t row = 0;
  while (table.value(row, j) != value) ++row;
  return row;
}

bool AlwaysMissing(const CsvTable& table, int64_t j) {
  for (int64_t row = 0; row < table.rows(); ++row) {
    if (!std::isnan(table.value(row, j))) return false;
  }
  return true;
}

void UseCategoriesOf(const TableColumn& input, int64_t j, CsvTable& table, const std::string& source,
                     const std::string& whose) {
  TableColumn& column = table.columns[table.feature_columns[static_cast<size_t>(j)]];
  if (column.categories == input.categories) return;
  const bool missing = AlwaysMissing(table, j);
  if (column.categories.empty() != input.categories.empty() && !missing) {
    throw Error(fmt::format("{}: feature {} holds {}, expected {}, as {} has", source, FeatureName(table, j),
                            input.categories.empty() ? "words" : "numbers",
                            input.categories.empty() ? "numbers" : "words", whose));
  }
  std::vector<double> place_of;
  for (size_t i = 0; i < column.categories.size(); ++i) {
    const std::string& word = column.categories[i];
    const auto found = std::ranges::find(input.categories, word);
    if (found == input.categories.end()) {
      const int64_t row = FirstRow(table, j, static_cast<double>(i));
      throw Error(fmt::format("{}: line {}: feature {}: category {} is none of those of {}{}", source,
                              table.lines[static_cast<size_t>(row)], FeatureName(table, j), Quoted(word), whose,
                              SimilarClass(word, input.categories)));
    }
    place_of.push_back(static_cast<double>(found - input.categories.begin()));
  }
  for (auto at = static_cast<size_t>(j); at < table.values.size(); at += static_cast<size_t>(table.features)) {
    double& value = table.values[at];
    if (!std::isnan(value)) value = place_of[static_cast<size_t>(value)];
  }
  column.categories = input.categories;
}

}  // namespace

void UseCategories(const std::vector<TableColumn>& inputs, CsvTable& table, const std::string& source,
                   const std::string& whose) {
  if (std::ssize(inputs) != table.features) {
    throw Error(fmt::format("{}: {} features, expected {}, as {} has", source, table.features, inputs.size(), whose));
  }
  for (int64_t j = 0; j < table.features; ++j) {
    UseCategoriesOf(inputs[static_cast<size_t>(j)], j, table, source, whose);
  }
}

std::vector<TableColumn> FeatureColumns(const CsvTable& table) {
  std::vector<TableColumn> columns;
  for (const size_t place : table.feature_columns) columns.push_back(table.columns[place]);
  return columns;
}

}  // namespace twofour::train
