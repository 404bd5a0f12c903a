#include "twofour/train/data/csv_layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/train/data/csv_cell.h"
#include "twofour/train/data/csv_header.h"
#include "twofour/train/data/csv_separator.h"
#include "twofour/train/data/label_text.h"
#include "twofour/train/data/text.h"

namespace twofour::train {
namespace {

using Use = TableColumn::Use;

constexpr size_t kMostNames = 20;

/// The column at an index, which counts from 0 or, where negative, from the end; nullopt where there is none.
std::optional<size_t> ColumnAt(std::optional<int64_t> index, size_t columns) {
  const auto count = static_cast<int64_t>(columns);
  if (!index || *index >= count || *index < -count) return std::nullopt;
  return static_cast<size_t>(*index < 0 ? *index + count : *index);
}

/// Whether the row holds each name of another file's header, but for those that are dropped.
bool HasNamesOf(const CsvRow& row, const CsvTable& other) {
  return other.has_header() && std::ranges::all_of(other.columns, [&row](const TableColumn& column) {
           return column.use == Use::kDropped || std::ranges::find(row.cells, column.name) != row.cells.end();
         });
}

/// What the options call the column of the class, or the first target.
const std::string& FirstTarget(const CsvOptions& options) {
  return options.targets.empty() ? options.label : options.targets[0];
}

/// Whether the options call a column by a name that is no index.
bool HasName(const CsvOptions& options) {
  const auto is_name = [](const std::string& reference) { return !ParseInteger(reference); };
  return is_name(FirstTarget(options)) || std::ranges::any_of(options.targets, is_name) ||
         std::ranges::any_of(options.drop, is_name) || std::ranges::any_of(options.categorical, is_name);
}

/// The row without the cells that say nothing about numbers: those of dropped columns and of categories.
CsvRow FeaturesAlone(CsvRow row, const CsvOptions& options) {
  for (const std::vector<std::string>* list : {&options.drop, &options.categorical}) {
    for (const std::string& reference : *list) {
      if (const auto column = ColumnAt(ParseInteger(reference), row.cells.size())) row.cells[*column].clear();
    }
  }
  return row;
}

/// A target is a number in every row, and a name hardly ever is.
HeaderGuess GuessByTarget(const CsvRow& first, std::string_view text, const CsvOptions& options,
                          const std::string& source) {
  bool words = false;
  for (const std::string& reference : options.targets) {
    const auto column = ColumnAt(ParseInteger(reference), first.cells.size());
    if (!column || LooksMissing(first.cells[*column])) continue;  // An error, which is found later.
    words |= !ParseCell(first.cells[*column], options) && !LooseNumber(first.cells[*column]);
  }
  if (words) return {true, ""};
  const auto is_number = [&](const std::string& cell) { return ParseCell(cell, options).has_value(); };
  if (!std::ranges::all_of(first.cells, is_number)) return {};
  return GuessHeader(first, std::nullopt, text, options, source);  // Such as "0,1,2".
}

/// Whether all cells but this one are empty.
bool OnlyAt(size_t column, const CsvRow& row) {
  for (size_t i = 0; i < row.cells.size(); ++i) {
    if (i != column && !row.cells[i].empty()) return false;
  }
  return true;
}

/// Where all features are categories by the options: names are those cells that no other row has.
HeaderGuess GuessByWords(const CsvRow& first, std::string_view text, const CsvOptions& options,
                         const std::string& source) {
  CsvReader reader(text, options.delimiter, source);
  CsvRow row;
  reader.Next(row);
  while (reader.Next(row)) {
    for (const std::string& reference : options.categorical) {
      const auto column = ColumnAt(ParseInteger(reference), first.cells.size());
      if (column && *column < row.cells.size() && row.cells[*column] == first.cells[*column]) return {};
    }
  }
  return {true, fmt::format("{}: line {} was taken for the columns' names, as no other line holds any of its words; "
                            "data.csv.header: YES if it names the columns, NO if not",
                            source, first.line)};
}

HeaderGuess DecideHeader(const CsvRow& first, std::string_view text, const CsvOptions& options,
                         const std::string& source, const CsvTable* like) {
  const std::optional<int64_t> index = ParseInteger(FirstTarget(options));
  std::optional<size_t> label = ColumnAt(index, first.cells.size());
  if (options.header != CsvOptions::Header::kAuto) return {options.header == CsvOptions::Header::kYes, ""};
  if (options.earlier_rules) return {!index || HasWord(first, label, options), ""};
  if (like != nullptr && HasNamesOf(first, *like)) return {true, ""};
  // The row holds the name of the label, so it is a header.
  if (!index && std::ranges::find(first.cells, FirstTarget(options)) != first.cells.end()) return {true, ""};
  if (like == nullptr && HasName(options)) return {true, ""};
  if (!options.targets.empty()) return GuessByTarget(first, text, options, source);
  if (!label && like != nullptr && static_cast<size_t>(like->label_column) < first.cells.size()) {
    label = static_cast<size_t>(like->label_column);
  }
  const CsvRow features = FeaturesAlone(first, options);
  if (label && OnlyAt(*label, features) && !OnlyAt(*label, first)) return GuessByWords(first, text, options, source);
  return GuessHeader(features, label, text, options, source);
}

/// Throws Error where only one of the two files has a header, because their columns may be in different orders.
void RequireHeaderLike(const CsvTable& like, const CsvLayout& layout, const CsvOptions& options,
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

/// Finds the columns that the options speak of, and writes down what they are for.
class Roles {
 public:
  Roles(const CsvOptions& options, const std::string& source, const CsvTable* like, CsvLayout& layout)
      : options_(options), source_(source), layout_(layout) {
    layout_.uses.assign(layout_.columns, Use::kInput);
    layout_.categorical.assign(layout_.columns, false);
    const bool by_name = like != nullptr && like->has_header() && layout_.has_header && !options_.earlier_rules;
    if (by_name) {
      TakeFrom(*like);
      return;
    }
    TakeFromOptions();
    if (like == nullptr || like->columns.size() != layout_.columns) return;
    for (size_t i = 0; i < layout_.columns; ++i) layout_.categorical[i] = !like->columns[i].categories.empty();
  }

 private:
  void TakeFromOptions() {
    if (options_.targets.empty()) {
      layout_.label = Resolve(options_.label, "label", "the label");
      layout_.uses[*layout_.label] = Use::kTarget;
    }
    for (const std::string& target : options_.targets) {
      layout_.targets.push_back(Resolve(target, "data.csv.target", "a target"));
      Mark(layout_.targets.back(), Use::kTarget, target);
    }
    std::ranges::sort(layout_.targets);
    RequireDistinctTargets();
    for (const std::string& dropped : options_.drop) {
      Mark(Resolve(dropped, "data.csv.drop", "to be dropped"), Use::kDropped, dropped);
    }
    for (const std::string& name : options_.categorical) {
      const size_t column = Resolve(name, "data.csv.categorical", "of categories");
      if (layout_.uses[column] != Use::kInput) {
        throw Error(fmt::format("{}: data.csv.categorical: {} is {}, expected a feature", source_,
                                layout_.NameOfColumn(column), NameOf(layout_.uses[column])));
      }
      layout_.categorical[column] = true;
    }
  }

  /// Columns of the file to evaluate on are what they are in the file to train on, wherever they stand.
  void TakeFrom(const CsvTable& like) {
    for (size_t place = 0; place < like.columns.size(); ++place) {
      const TableColumn& column = like.columns[place];
      const auto named = std::ranges::count(layout_.names, column.name);
      if (named == 0) {
        if (column.use != Use::kTarget) continue;  // MatchColumns sees whether a feature is missing.
        throw Error(fmt::format("{}: line {}: no column {}, {} in {}, expected it among {}{}", source_,
                                layout_.first_line, Quoted(column.name),
                                options_.targets.empty() ? "the label" : "a target", options_.path,
                                QuotedList(layout_.names, kMostNames), layout_.other_separator));
      }
      const auto first = static_cast<size_t>(std::ranges::find(layout_.names, column.name) - layout_.names.begin());
      // Of several columns with this name, the one in the same place is meant.
      const bool same_place = place < layout_.columns && layout_.names[place] == column.name;
      if (named > 1 && !same_place && column.use == Use::kTarget) {
        throw Error(fmt::format("{}: line {}: {} columns are named {}: which is which cannot be known", source_,
                                layout_.first_line, named, Quoted(column.name)));
      }
      const size_t found = named > 1 && same_place ? place : first;
      layout_.uses[found] = column.use;
      layout_.categorical[found] = !column.categories.empty();
      if (column.use != Use::kTarget) continue;
      if (options_.targets.empty()) {
        layout_.label = found;
      } else {
        layout_.targets.push_back(found);
      }
    }
  }

  /// Throws Error where two targets have one name. Predictions of both would have it, too.
  void RequireDistinctTargets() const {
    for (const size_t target : layout_.targets) {
      if (!layout_.has_header) return;
      const std::string& name = layout_.names[target];
      const auto same = [&](size_t other) { return layout_.names[other] == name; };
      if (std::ranges::count_if(layout_.targets, same) < 2) continue;
      throw Error(fmt::format("{}: line {}: several targets are named {}, expected different names", source_,
                              layout_.first_line, Quoted(name)));
    }
  }

  size_t Resolve(const std::string& reference, const char* field, const char* what) const {
    const std::vector<std::string>& names = layout_.names;
    const auto named = std::ranges::count(names, reference);
    if (named > 1) {
      throw Error(fmt::format("{}: line {}: {} columns are named {}, {}", source_, layout_.first_line, named,
                              Quoted(reference), what));
    }
    if (named == 1) return static_cast<size_t>(std::ranges::find(names, reference) - names.begin());
    if (const auto column = ColumnAt(ParseInteger(reference), layout_.columns)) return *column;
    throw Error(fmt::format("{}: {}: no column {}, expected 0 to {}, -1 to -{}{}{}{}", source_, field,
                            Quoted(reference), layout_.columns - 1, layout_.columns,
                            layout_.has_header ? " or one of " : " (there is no header)", QuotedList(names, kMostNames),
                            layout_.other_separator));
  }

  void Mark(size_t column, Use use, const std::string& reference) {
    if (layout_.uses[column] != Use::kInput) {
      throw Error(fmt::format("{}: {}: {} is {} already, expected each column once", source_, Quoted(reference),
                              layout_.NameOfColumn(column), NameOf(layout_.uses[column])));
    }
    layout_.uses[column] = use;
  }

  const char* NameOf(Use use) const {
    return use == Use::kDropped ? "dropped" : options_.targets.empty() ? "the label" : "a target";
  }

  const CsvOptions& options_;
  const std::string& source_;
  CsvLayout& layout_;
};

}  // namespace

std::string CsvLayout::NameOfColumn(size_t column) const {
  return train::NameOfColumn(has_header ? names[column] : "", column, has_header);
}

CsvLayout ReadCsvLayout(const CsvRow& first, std::string_view text, const CsvOptions& options,
                        const std::string& source, const CsvTable* like) {
  CsvLayout layout;
  layout.columns = first.cells.size();
  layout.first_line = first.line;
  layout.other_separator = OtherSeparator(first, options.delimiter);
  if (layout.other_separator.empty()) layout.other_separator = SharedSeparator(options.delimiter, options.decimal);
  if (layout.columns < 2) {
    throw Error(fmt::format("{}: line {} has 1 column, expected features and a label, separated by {}{}", source,
                            first.line, NameOfSeparator(options.delimiter), layout.other_separator));
  }
  HeaderGuess guess = DecideHeader(first, text, options, source, like);
  layout.has_header = guess.has_header;
  layout.note = std::move(guess.note);
  if (like != nullptr) RequireHeaderLike(*like, layout, options, source);
  if (layout.has_header) layout.names = first.cells;
  Roles(options, source, like, layout);
  if (std::ranges::find(layout.uses, Use::kInput) == layout.uses.end()) {
    throw Error(
        fmt::format("{}: each of the {} columns is dropped or a target, expected a feature", source, layout.columns));
  }
  return layout;
}

}  // namespace twofour::train
