#include "twofour/train/data/csv_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <unordered_map>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/train/data/csv_reader.h"
#include "twofour/train/data/text.h"

namespace twofour::train {
namespace {

// Far more than a softmax layer is good for: beyond it, the label column holds measurements, not classes.
constexpr size_t kMaxClasses = 65536;

/// What the first row says about all others.
struct Layout {
  size_t columns = 0;
  size_t label = 0;
  bool has_header = false;
  int64_t first_line = 1;
  std::vector<std::string> names;  // [columns]; empty without a header.

  std::string NameOfColumn(size_t column) const {
    return has_header ? fmt::format("column {}", Quoted(names[column]))
                      : fmt::format("column {} (counted from 0)", column);
  }
};

/// The column that an index from 0, or from the end where negative, means.
std::optional<size_t> ColumnAt(std::optional<int64_t> index, size_t columns) {
  const auto count = static_cast<int64_t>(columns);
  if (!index || *index >= count || *index < -count) return std::nullopt;
  return static_cast<size_t>(*index < 0 ? *index + count : *index);
}

bool LooksLikeHeader(const CsvRow& row, std::optional<size_t> label) {
  for (size_t column = 0; column < row.cells.size(); ++column) {
    const std::string& cell = row.cells[column];
    if (column != label && !cell.empty() && !ParseNumber(cell)) return true;
  }
  return false;
}

/// "a", "b", "c" and 7 more
std::string ListNames(const std::vector<std::string>& names) {
  constexpr size_t kMaxListed = 20;
  std::vector<std::string> listed;
  for (size_t i = 0; i < std::min(names.size(), kMaxListed); ++i) listed.push_back(Quoted(names[i]));
  std::string text = fmt::format("{}", fmt::join(listed, ", "));
  if (names.size() > kMaxListed) text += fmt::format(" and {} more", names.size() - kMaxListed);
  return text;
}

Layout ReadLayout(const CsvRow& first, const CsvOptions& options, const std::string& source) {
  Layout layout;
  layout.columns = first.cells.size();
  layout.first_line = first.line;
  if (layout.columns < 2) {
    throw Error(fmt::format("{}: line {} has 1 column, expected features and a label, separated by '{}'", source,
                            first.line, options.delimiter));
  }
  const std::optional<int64_t> index = ParseInteger(options.label);
  const std::optional<size_t> by_index = ColumnAt(index, layout.columns);
  layout.has_header = options.header == CsvOptions::Header::kYes ||
                      (options.header == CsvOptions::Header::kAuto && (!index || LooksLikeHeader(first, by_index)));
  if (layout.has_header) layout.names = first.cells;
  const auto named = std::count(layout.names.begin(), layout.names.end(), options.label);
  if (named > 1) {
    throw Error(fmt::format("{}: line {}: {} columns are named {}, the label", source, first.line, named,
                            Quoted(options.label)));
  }
  if (named == 1) {
    const auto found = std::find(layout.names.begin(), layout.names.end(), options.label);
    layout.label = static_cast<size_t>(found - layout.names.begin());
  } else if (by_index) {
    layout.label = *by_index;
  } else {
    throw Error(fmt::format("{}: label: no column {}, expected 0 to {}, -1 to -{}{}{}", source, Quoted(options.label),
                            layout.columns - 1, layout.columns,
                            layout.has_header ? " or one of " : " (there is no header)", ListNames(layout.names)));
  }
  return layout;
}

double ParseFeature(const std::string& cell, size_t column, const CsvRow& row, const Layout& layout,
                    const std::string& source) {
  const std::optional<double> value = ParseNumber(cell);
  // Written so that NaN fails too.
  if (value && std::abs(*value) <= std::numeric_limits<float>::max()) return *value;
  throw Error(fmt::format("{}: line {}, {}: {} is not a {}", source, row.line, layout.NameOfColumn(column),
                          Quoted(cell), value && std::isfinite(*value) ? "32-bit float" : "finite number"));
}

/// Numbers labels in order of appearance.
class LabelTable {
 public:
  /// The number of `name`; nullopt when there are too many.
  std::optional<int32_t> Intern(const std::string& name, CsvTable& table) {
    const auto [entry, is_new] = ids_.try_emplace(name, static_cast<int32_t>(ids_.size()));
    if (!is_new) return entry->second;
    if (ids_.size() > kMaxClasses) return std::nullopt;
    table.label_names.push_back(name);
    return entry->second;
  }

 private:
  std::unordered_map<std::string, int32_t> ids_;
};

void AppendRow(const CsvRow& row, const Layout& layout, const std::string& source, LabelTable& labels,
               CsvTable& table) {
  if (row.cells.size() != layout.columns) {
    throw Error(fmt::format("{}: line {} has {} column{}, line {} has {}", source, row.line, row.cells.size(),
                            row.cells.size() == 1 ? "" : "s", layout.first_line, layout.columns));
  }
  for (size_t column = 0; column < layout.columns; ++column) {
    if (column == layout.label) continue;
    table.values.push_back(ParseFeature(row.cells[column], column, row, layout, source));
  }
  const std::string& label = row.cells[layout.label];
  if (label.empty()) {
    throw Error(
        fmt::format("{}: line {}, {}: the label is empty", source, row.line, layout.NameOfColumn(layout.label)));
  }
  const std::optional<int32_t> id = labels.Intern(label, table);
  if (!id) {
    throw Error(
        fmt::format("{}: line {}, {}: more than {} distinct labels; is this the column of the class "
                    "(data.csv.label)? Regression is not supported yet",
                    source, row.line, layout.NameOfColumn(layout.label), kMaxClasses));
  }
  table.labels.push_back(*id);
  table.lines.push_back(row.line);
}

}  // namespace

CsvTable ParseCsv(std::string_view text, const CsvOptions& options, const std::string& source) {
  CsvReader reader(text, options.delimiter, source);
  CsvRow row;
  if (!reader.Next(row)) throw Error(fmt::format("{}: the file is empty", source));
  const Layout layout = ReadLayout(row, options, source);
  CsvTable table;
  table.features = static_cast<int64_t>(layout.columns) - 1;
  table.label_column = static_cast<int64_t>(layout.label);
  table.feature_names = layout.names;
  if (layout.has_header) table.label_name = layout.names[layout.label];
  if (layout.has_header) table.feature_names.erase(table.feature_names.begin() + static_cast<int64_t>(layout.label));
  LabelTable labels;
  if (!layout.has_header) AppendRow(row, layout, source, labels, table);
  while (reader.Next(row)) AppendRow(row, layout, source, labels, table);
  if (table.rows() == 0) throw Error(fmt::format("{}: no rows after the header", source));
  return table;
}

}  // namespace twofour::train
