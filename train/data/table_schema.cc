#include "twofour/train/data/table_schema.h"

#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#include "twofour/train/data/text.h"

namespace twofour::train {

int64_t TableColumn::inputs() const {
  if (use != Use::kInput) return 0;
  const auto own = categories.empty() ? int64_t{1} : static_cast<int64_t>(categories.size());
  return own + (missing_input ? 1 : 0);
}

int64_t TableSchema::inputs() const {
  return std::accumulate(columns.begin(), columns.end(), int64_t{0},
                         [](int64_t sum, const TableColumn& column) { return sum + column.inputs(); });
}

std::vector<std::string> TableSchema::InputNames() const {
  std::vector<std::string> names;
  if (!has_names) return names;
  for (const TableColumn& column : columns) {
    if (column.use != TableColumn::Use::kInput) continue;
    if (column.categories.empty()) names.push_back(column.name);
    for (const std::string& category : column.categories) names.push_back(column.name + "=" + category);
    if (column.missing_input) names.push_back(column.name + " (missing)");
  }
  return names;
}

std::optional<float> FeatureScaling::ScaleToFloat(size_t j, double value) const {
  const double scaled = Scale(j, value);
  if (!(std::abs(scaled) <= std::numeric_limits<float>::max())) return std::nullopt;
  return static_cast<float>(scaled);
}

std::string NameOfColumn(const std::string& name, size_t place, bool has_names) {
  return has_names ? "column " + Quoted(name) : "column " + std::to_string(place) + " (counted from 0)";
}

std::vector<size_t> PlacesOf(const std::vector<TableColumn>& columns, TableColumn::Use use) {
  std::vector<size_t> places;
  for (size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].use == use) places.push_back(i);
  }
  return places;
}

std::vector<std::string> TableSchema::TargetNames() const {
  std::vector<std::string> names;
  for (const size_t place : Places(TableColumn::Use::kTarget)) {
    names.push_back(has_names ? columns[place].name : std::to_string(place));
  }
  return names;
}

}  // namespace twofour::train
