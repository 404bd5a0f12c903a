#include "twofour/train/data/csv_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <unordered_map>

#include "twofour/core/error.h"
#include "twofour/train/data/csv_features.h"
#include "twofour/train/data/csv_layout.h"
#include "twofour/train/data/csv_reader.h"
#include "twofour/train/data/csv_separator.h"
#include "twofour/train/data/label_text.h"
#include "twofour/train/data/text.h"

namespace twofour::train {
namespace {

using Use = TableColumn::Use;

/// Numbers labels in order of appearance.
class LabelTable {
 public:
  /// The number of `name`; nullopt when there are too many.
  std::optional<int32_t> Intern(const std::string& name, CsvTable& table) {
    const auto [entry, is_new] = ids_.try_emplace(name, static_cast<int32_t>(ids_.size()));
    if (!is_new) return entry->second;
    if (ids_.size() > CsvFeatures::kMostCategories) return std::nullopt;
    table.label_names.push_back(name);
    return entry->second;
  }

 private:
  std::unordered_map<std::string, int32_t> ids_;
};

void AppendRow(const CsvRow& row, const CsvLayout& layout, const CsvOptions& options, const std::string& source,
               CsvFeatures& features, LabelTable& labels, CsvTable& table) {
  if (row.cells.size() != layout.columns) {
    const bool ends_empty = row.cells.size() > layout.columns && row.cells.back().empty();
    throw Error(fmt::format(
        "{}: line {} has {} column{}{}, line {} has {}{}", source, row.line, row.cells.size(),
        row.cells.size() == 1 ? "" : "s",
        ends_empty ? fmt::format(", the last of them empty, since it ends in {}", NameOfSeparator(options.delimiter))
                   : "",
        layout.first_line, layout.columns, layout.other_separator));
  }
  for (size_t column = 0; column < layout.columns; ++column) {
    const std::string& cell = row.cells[column];
    if (layout.uses[column] == Use::kInput) table.values.push_back(features.Read(cell, column, row));
  }
  table.lines.push_back(row.line);
  for (const size_t column : layout.targets) {
    table.targets.push_back(features.ReadTarget(row.cells[column], column, row));
  }
  if (!layout.label) return;
  const std::string& label = row.cells[*layout.label];
  if (label.empty()) {
    throw Error(
        fmt::format("{}: line {}, {}: the label is empty", source, row.line, layout.NameOfColumn(*layout.label)));
  }
  if (options.missing != CsvOptions::Missing::kRefuse && LooksMissing(label)) {
    throw Error(fmt::format("{}: line {}, {}: the label {} is missing; data.csv.missing: FORBID takes it for a class",
                            source, row.line, layout.NameOfColumn(*layout.label), Quoted(label)));
  }
  const std::optional<int32_t> id = labels.Intern(label, table);
  if (!id) {
    throw Error(
        fmt::format("{}: line {}, {}: more than {} distinct labels; is this the column of the class "
                    "(data.csv.label)? To predict a number, name it in data.csv.target",
                    source, row.line, layout.NameOfColumn(*layout.label), CsvFeatures::kMostCategories));
  }
  table.labels.push_back(*id);
}

/// Notes what was assumed in reading the file.
void NoteReading(const CsvLayout& layout, size_t empty, const CsvOptions& options, const std::string& source,
                 CsvTable& table) {
  if (!layout.note.empty()) table.notes.push_back(layout.note);
  const bool guessed = options.header == CsvOptions::Header::kAuto && layout.has_header && layout.note.empty();
  if (guessed && std::ranges::find(table.label_names, table.label_name) != table.label_names.end()) {
    table.notes.push_back(
        fmt::format("{}: line {} was taken for the columns' names, though {} is a label of other rows; "
                    "data.csv.header: YES if it names them, NO if not",
                    source, layout.first_line, Quoted(table.label_name)));
  }
  if (empty > 0) {
    table.notes.push_back(fmt::format("{}: every line ends in {} more separator{} than it has columns: {} left out",
                                      source, empty, empty == 1 ? "" : "s",
                                      empty == 1 ? "an empty column is" : "empty columns are"));
  }
  if (!table.has_labels()) return;
  if (const auto separator = SeparatorInAll(table.label_names, options.delimiter)) {
    table.notes.push_back(fmt::format("{}: every label holds {}: if columns are separated by it, {}", source,
                                      NameOfSeparator(*separator), SetDelimiter(*separator)));
  }
}

/// A table of these columns, without rows.
CsvTable EmptyTable(const CsvLayout& layout) {
  CsvTable table;
  for (size_t i = 0; i < layout.columns; ++i) {
    table.columns.push_back({.name = layout.has_header ? layout.names[i] : "", .use = layout.uses[i]});
    if (layout.uses[i] != Use::kInput) continue;
    table.feature_columns.push_back(i);
    if (layout.has_header) table.feature_names.push_back(layout.names[i]);
  }
  table.features = std::ssize(table.feature_columns);
  table.num_targets = std::ssize(layout.targets);
  if (layout.label) table.label_column = static_cast<int64_t>(*layout.label);
  if (layout.label && layout.has_header) table.label_name = layout.names[*layout.label];
  return table;
}

}  // namespace

std::string FeatureName(const CsvTable& table, int64_t feature) {
  const auto i = static_cast<size_t>(feature);
  return table.feature_names.empty() ? fmt::format("in column {} (counted from 0)", table.feature_columns[i])
                                     : Quoted(table.feature_names[i]);
}

CsvTable ParseCsv(std::string_view text, const CsvOptions& options, const std::string& source, const CsvTable* like) {
  CsvReader reader(text, options.delimiter, source);
  CsvRow row;
  if (!reader.Next(row)) throw Error(fmt::format("{}: the file is empty", source));
  const size_t empty = row.cells.back().empty() ? EmptyColumnsAtEnd(text, options.delimiter, source) : 0;
  row.cells.resize(row.cells.size() - empty);
  const CsvLayout layout = ReadCsvLayout(row, text, options, source, like);
  CsvTable table = EmptyTable(layout);
  CsvFeatures features(layout, options, source, like == nullptr);
  LabelTable labels;
  if (!layout.has_header) AppendRow(row, layout, options, source, features, labels, table);
  while (reader.Next(row)) {
    row.cells.resize(row.cells.size() - empty);
    AppendRow(row, layout, options, source, features, labels, table);
  }
  if (table.rows() == 0) throw Error(fmt::format("{}: no rows after the header", source));
  features.Finish(table);
  NoteReading(layout, empty, options, source, table);
  return table;
}

}  // namespace twofour::train
