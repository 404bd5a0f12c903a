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
#include "twofour/train/data/csv_header.h"
#include "twofour/train/data/csv_reader.h"
#include "twofour/train/data/csv_separator.h"
#include "twofour/train/data/text.h"

namespace twofour::train {
namespace {

// Far more classes than a softmax layer can handle. A label column with more values holds measurements, not classes.
constexpr size_t kMaxClasses = 65536;

/// What the first row says about all others.
struct Layout {
  size_t columns = 0;
  size_t label = 0;
  bool has_header = false;
  int64_t first_line = 1;
  std::vector<std::string> names;  // [columns]; empty without a header.
  std::string note;                // Not empty where it is uncertain whether there is a header.
  std::string other_separator;     // What may be wrong with the separator, for messages.

  std::string NameOfColumn(size_t column) const {
    return has_header ? fmt::format("column {}", Quoted(names[column]))
                      : fmt::format("column {} (counted from 0)", column);
  }
};

/// The column at an index, which counts from 0 or, where negative, from the end; nullopt where there is none.
std::optional<size_t> ColumnAt(std::optional<int64_t> index, size_t columns) {
  const auto count = static_cast<int64_t>(columns);
  if (!index || *index >= count || *index < -count) return std::nullopt;
  return static_cast<size_t>(*index < 0 ? *index + count : *index);
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

/// Whether the row holds each name of another file's header.
bool HasNamesOf(const CsvRow& row, const CsvTable& other) {
  const auto has = [&row](const std::string& name) { return std::ranges::find(row.cells, name) != row.cells.end(); };
  return other.has_header() && has(other.label_name) && std::ranges::all_of(other.feature_names, has);
}

/// `index` is options.label where that is a number, and `by_index` is the column at that index.
HeaderGuess DecideHeader(const CsvRow& first, std::optional<int64_t> index, std::optional<size_t> by_index,
                         std::string_view text, const CsvOptions& options, const std::string& source,
                         const CsvTable* like) {
  if (options.header != CsvOptions::Header::kAuto) return {options.header == CsvOptions::Header::kYes, ""};
  if (options.earlier_rules) return {!index || HasWord(first, by_index, options), ""};
  if (like != nullptr && HasNamesOf(first, *like)) return {true, ""};
  // The row holds the name of the label, so it is a header.
  if (std::ranges::find(first.cells, options.label) != first.cells.end() && !index) return {true, ""};
  if (like == nullptr && !index) return {true, ""};
  std::optional<size_t> label = by_index;
  if (!label && like != nullptr && static_cast<size_t>(like->label_column) < first.cells.size()) {
    label = static_cast<size_t>(like->label_column);
  }
  return GuessHeader(first, label, text, options, source);
}

/// Throws Error where only one of the two files has a header, because their columns may be in different orders.
void RequireHeaderLike(const CsvTable& like, const Layout& layout, const CsvOptions& options,
                       const std::string& source) {
  if (like.has_header() == layout.has_header || layout.columns == 2 || options.earlier_rules) return;
  throw Error(fmt::format(
      "{}: line {} {}, but that of {} {}, so that the columns cannot be known to be the same; expected one header for "
      "both{}",
      source, layout.first_line, layout.has_header ? "names columns" : "names no columns", options.path,
      like.has_header() ? "does" : "does not",
      options.header == CsvOptions::Header::kAuto ? ", or data.csv.header: YES or NO where this is a wrong guess"
                                                  : ""));
}

Layout ReadLayout(const CsvRow& first, std::string_view text, const CsvOptions& options, const std::string& source,
                  const CsvTable* like) {
  Layout layout;
  layout.columns = first.cells.size();
  layout.first_line = first.line;
  layout.other_separator = OtherSeparator(first, options.delimiter);
  if (layout.other_separator.empty()) layout.other_separator = SharedSeparator(options.delimiter, options.decimal);
  if (layout.columns < 2) {
    throw Error(fmt::format("{}: line {} has 1 column, expected features and a label, separated by {}{}", source,
                            first.line, NameOfSeparator(options.delimiter), layout.other_separator));
  }
  const std::optional<int64_t> index = ParseInteger(options.label);
  const std::optional<size_t> by_index = ColumnAt(index, layout.columns);
  HeaderGuess guess = DecideHeader(first, index, by_index, text, options, source, like);
  layout.has_header = guess.has_header;
  layout.note = std::move(guess.note);
  if (like != nullptr) RequireHeaderLike(*like, layout, options, source);
  if (layout.has_header) layout.names = first.cells;
  const bool by_name = like != nullptr && like->has_header() && layout.has_header && !options.earlier_rules;
  const std::string& label = by_name ? like->label_name : options.label;
  const auto named = std::count(layout.names.begin(), layout.names.end(), label);
  if (named > 1 && !by_name) {
    throw Error(
        fmt::format("{}: line {}: {} columns are named {}, the label", source, first.line, named, Quoted(label)));
  }
  if (named == 1) {
    const auto found = std::find(layout.names.begin(), layout.names.end(), label);
    layout.label = static_cast<size_t>(found - layout.names.begin());
  } else if (by_name && named == 0) {
    throw Error(fmt::format("{}: line {}: no column {}, the label in {}, expected it among {}{}", source, first.line,
                            Quoted(label), options.path, ListNames(layout.names), layout.other_separator));
  } else if (by_index) {
    layout.label = *by_index;
  } else {
    throw Error(fmt::format("{}: label: no column {}, expected 0 to {}, -1 to -{}{}{}{}", source, Quoted(options.label),
                            layout.columns - 1, layout.columns,
                            layout.has_header ? " or one of " : " (there is no header)", ListNames(layout.names),
                            layout.other_separator));
  }
  return layout;
}

/// Why a cell cannot be a feature, and what may help.
std::string WhyNoFeature(const std::string& cell, const CsvRow& row, const Layout& layout, const CsvOptions& options) {
  const std::optional<double> value = ParseCell(cell, options);
  if (value && std::isfinite(*value)) {
    return options.standardize ? "is too large, even for a 64-bit float" : "is not a 32-bit float";
  }
  if (IsOutOfRange(cell)) return "is not a 64-bit float: it is beyond the range of one";
  std::string why = options.decimal == '.' ? "is not a finite number" : "is not a finite number with a decimal comma";
  CsvOptions with_comma = options;
  with_comma.decimal = ',';
  if (options.decimal == '.' && cell.find(',') != std::string::npos && ParseCell(cell, with_comma)) {
    why += "; if the comma stands before decimals, --set data.csv.decimal=,";
  } else if (layout.has_header && layout.names[layout.label].empty()) {
    why += "; the label is the column \"\" (data.csv.label)";
  }
  const bool guessed = options.header == CsvOptions::Header::kAuto && !layout.has_header;
  // An empty first cell may be the name of an index column.
  if (guessed && row.line == layout.first_line && (!cell.empty() || &cell == row.cells.data())) {
    why += "; the line was taken for data, and names the columns with data.csv.header: YES";
  }
  return why + layout.other_separator;
}

double ParseFeature(const std::string& cell, size_t column, const CsvRow& row, const Layout& layout,
                    const CsvOptions& options, const std::string& source) {
  const std::optional<double> value = ParseCell(cell, options);
  // Scaling subtracts two values, and the difference must still be a double. A value that is not scaled becomes a
  // 32-bit float as it is.
  const double most = options.standardize ? std::numeric_limits<double>::max() / 4
                                          : static_cast<double>(std::numeric_limits<float>::max());
  // Written so that NaN fails too.
  if (value && std::abs(*value) <= most) return *value;
  throw Error(fmt::format("{}: line {}, {}: {} {}", source, row.line, layout.NameOfColumn(column), Quoted(cell),
                          WhyNoFeature(cell, row, layout, options)));
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

void AppendRow(const CsvRow& row, const Layout& layout, const CsvOptions& options, const std::string& source,
               LabelTable& labels, CsvTable& table) {
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
    if (column == layout.label) continue;
    table.values.push_back(ParseFeature(row.cells[column], column, row, layout, options, source));
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

/// Notes what was assumed in reading the file.
void NoteReading(const Layout& layout, size_t empty, const CsvOptions& options, const std::string& source,
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
  if (const auto separator = SeparatorInAll(table.label_names, options.delimiter)) {
    table.notes.push_back(fmt::format("{}: every label holds {}: if columns are separated by it, {}", source,
                                      NameOfSeparator(*separator), SetDelimiter(*separator)));
  }
}

}  // namespace

std::string FeatureName(const CsvTable& table, int64_t feature) {
  return table.feature_names.empty() ? fmt::format("{} (counted from 0, without the label)", feature)
                                     : Quoted(table.feature_names[static_cast<size_t>(feature)]);
}

CsvTable ParseCsv(std::string_view text, const CsvOptions& options, const std::string& source, const CsvTable* like) {
  CsvReader reader(text, options.delimiter, source);
  CsvRow row;
  if (!reader.Next(row)) throw Error(fmt::format("{}: the file is empty", source));
  const size_t empty = row.cells.back().empty() ? EmptyColumnsAtEnd(text, options.delimiter, source) : 0;
  row.cells.resize(row.cells.size() - empty);
  const Layout layout = ReadLayout(row, text, options, source, like);
  CsvTable table;
  table.features = static_cast<int64_t>(layout.columns) - 1;
  table.label_column = static_cast<int64_t>(layout.label);
  table.feature_names = layout.names;
  if (layout.has_header) table.label_name = layout.names[layout.label];
  if (layout.has_header) table.feature_names.erase(table.feature_names.begin() + static_cast<int64_t>(layout.label));
  LabelTable labels;
  if (!layout.has_header) AppendRow(row, layout, options, source, labels, table);
  while (reader.Next(row)) {
    row.cells.resize(row.cells.size() - empty);
    AppendRow(row, layout, options, source, labels, table);
  }
  if (table.rows() == 0) throw Error(fmt::format("{}: no rows after the header", source));
  NoteReading(layout, empty, options, source, table);
  return table;
}

}  // namespace twofour::train
