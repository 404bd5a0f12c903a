#include "twofour/train/data/table_inputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/train/data/csv_cell.h"
#include "twofour/train/data/csv_separator.h"
#include "twofour/train/data/label_text.h"
#include "twofour/train/data/text.h"
#include "twofour/train/data/utf8.h"

namespace twofour::train {
namespace {

using Use = TableColumn::Use;

const char* Plural(size_t count) { return count == 1 ? "" : "s"; }

std::vector<std::string> NamesIn(const CsvRow& row) {
  std::vector<std::string> names;
  for (const std::string& cell : row.cells) names.push_back(AsUtf8(cell));
  return names;
}

/// The row's columns up to the last one that is not empty. Lines may all end in more separators than there are columns.
size_t FilledColumns(const CsvRow& row) {
  size_t columns = row.cells.size();
  while (columns > 1 && row.cells[columns - 1].empty()) --columns;
  return columns;
}

/// The columns in their order, but for those of one use.
std::vector<const TableColumn*> Without(const TableSchema& schema, std::optional<Use> use) {
  std::vector<const TableColumn*> columns;
  for (const TableColumn& column : schema.columns) {
    if (column.use != use) columns.push_back(&column);
  }
  return columns;
}

}  // namespace

TableInputs::TableInputs(const CsvRow& first, TableSchema schema, const CsvOptions& csv, const TableWishes& wishes,
                         std::string source)
    : schema_(std::move(schema)),
      csv_(csv),
      source_(std::move(source)),
      columns_(first.cells.size()),
      read_(columns_),
      first_line_(first.line),
      encoder_(schema_),
      unknown_as_missing_(wishes.unknown_as_missing) {
  for (const TableColumn& column : encoder_.columns()) {
    auto& words = words_.emplace_back();
    for (const std::string& word : column.categories) words.emplace(word, words.size());
  }
  if (has_header()) {
    FindByName(first, wishes);
  } else {
    FindByPosition(first, wishes);
  }
  if (!wishes.targets || !targets_.empty()) return;
  Fail(first, has_header() ? fmt::format("no column {}, {}", QuotedList(schema_.TargetNames()), WhatTargets())
                           : fmt::format("{} columns, expected {}: features and {}", columns_, schema_.columns.size(),
                                         WhatTargets()));
}

/// Takes the columns by position where the header is that of the model's table, with or without the targets. Only then
/// may two columns have the same name, or the label none.
bool TableInputs::FindSameHeader(const std::vector<std::string>& names) {
  for (const std::optional<Use> left_out : {std::optional<Use>(), std::optional(Use::kTarget)}) {
    const std::vector<const TableColumn*> columns = Without(schema_, left_out);
    if (!std::ranges::equal(columns, names, {}, &TableColumn::name)) continue;
    for (size_t i = 0; i < columns.size(); ++i) {
      if (columns[i]->use == Use::kInput) places_.push_back(i);
      if (columns[i]->use == Use::kTarget) targets_.push_back(i);
    }
    return true;
  }
  return false;
}

void TableInputs::FindByName(const CsvRow& first, const TableWishes& wishes) {
  std::vector<std::string> names = NamesIn(first);
  names_ = names;
  bool same_header = FindSameHeader(names);
  if (!same_header) {
    read_ = FilledColumns(first);
    names.resize(read_);
    same_header = FindSameHeader(names);
  }
  std::unordered_map<std::string_view, std::vector<size_t>> places;
  for (size_t column = 0; column < names.size(); ++column) places[names[column]].push_back(column);
  const auto find = [&](const std::string& name) -> std::optional<size_t> {
    const auto found = places.find(name);
    if (found == places.end()) return std::nullopt;
    if (found->second.size() == 1) return found->second[0];
    Fail(first,
         fmt::format("{} columns are named {}: which is which cannot be known", found->second.size(), Quoted(name)));
  };
  std::vector<bool> used(names.size());
  const size_t num_targets = schema_.Places(Use::kTarget).size();
  for (const size_t place : schema_.Places(Use::kDropped)) {
    for (const size_t column : places[schema_.columns[place].name]) used[column] = true;
  }
  if (!same_header) {
    std::vector<std::string> wanted, missing;
    std::unordered_set<std::string_view> known;
    for (const TableColumn& column : encoder_.columns()) {
      wanted.push_back(column.name);
      if (!known.insert(column.name).second) {
        Fail(first, fmt::format("the model was made with several columns named {}, expected the same header",
                                Quoted(column.name)));
      }
      const std::optional<size_t> place = find(column.name);
      place ? places_.push_back(*place) : missing.push_back(column.name);
    }
    if (places_.empty()) {
      Fail(first, fmt::format("names none of the model's columns, expected a header with {}, separated by {}",
                              QuotedList(wanted), NameOfSeparator(csv_.delimiter)));
    }
    if (!missing.empty()) {
      Fail(first,
           fmt::format("no column{} {}, which the model was made with", Plural(missing.size()), QuotedList(missing)));
    }
    for (const size_t place : schema_.Places(Use::kTarget)) {
      const std::optional<size_t> column = find(schema_.columns[place].name);
      if (!column && wishes.targets) {
        Fail(first, fmt::format("no column {}, {}", Quoted(schema_.columns[place].name), WhatTargets()));
      }
      if (!column) continue;
      targets_.push_back(*column);
      used[*column] = true;
    }
    if (targets_.size() < num_targets) targets_.clear();
  }
  for (const size_t place : places_) used[place] = true;
  for (const size_t place : targets_) used[place] = true;
  for (const std::string& name : wishes.keep) {
    const std::optional<size_t> place = find(AsUtf8(name));
    if (!place) Fail(first, fmt::format("no column {}, which is to be kept", Quoted(name)));
    kept_.push_back(*place);
    kept_names_.push_back(names[*place]);
    used[*place] = true;
  }
  std::vector<std::string> extra;
  for (size_t column = 0; column < names.size(); ++column) {
    if (!used[column]) extra.push_back(names[column]);
  }
  const char* const them = extra.size() == 1 ? "it" : "them";
  if (!extra.empty() && !wishes.ignore_extra) {
    Fail(first, fmt::format("column{} {}, which the model was not made with; --ignore-extra leaves {} out",
                            Plural(extra.size()), QuotedList(extra), them));
  }
  if (!extra.empty()) {
    notes_.push_back(fmt::format("{}: column{} {} left out: the model was not made with {}", source_,
                                 Plural(extra.size()), QuotedList(extra), them));
  }
  if (!std::ranges::is_sorted(places_)) {
    notes_.push_back(
        fmt::format("{}: its columns are in another order than those that the model was made with; they "
                    "were found by name",
                    source_));
  }
}

void TableInputs::FindByPosition(const CsvRow& first, const TableWishes& wishes) {
  const size_t all = schema_.columns.size(), without = all - schema_.Places(Use::kTarget).size();
  const auto fits = [&](size_t columns) { return columns == all || columns == without; };
  if (!fits(columns_)) read_ = FilledColumns(first);
  if (!fits(read_)) {
    Fail(first, fmt::format("{} column{}, expected {}{}: the model's columns have no names", columns_, Plural(columns_),
                            without, all == without ? "" : fmt::format(", or {} with {}", all, WhatTargets())));
  }
  // "1,2," may be two features and a separator, or three columns whose last one is missing.
  const bool ends_empty = read_ == all && all != without && FilledColumns(first) == without &&
                          schema_.columns.back().use == Use::kInput && !schema_.has_classes;
  if (ends_empty) {
    Fail(first,
         fmt::format("{} columns, of which the last are empty: it cannot be known whether {} left out or features "
                     "are missing; expected {} columns, or NA for a missing feature",
                     columns_, all - without == 1 ? "the target is" : "the targets are", without));
  }
  const std::vector<const TableColumn*> columns =
      Without(schema_, read_ == all ? std::optional<Use>() : std::optional(Use::kTarget));
  for (size_t i = 0; i < columns.size(); ++i) {
    if (columns[i]->use == Use::kInput) places_.push_back(i);
    if (columns[i]->use == Use::kTarget) targets_.push_back(i);
  }
  for (const std::string& given : wishes.keep) {
    const std::optional<int64_t> index = ParseInteger(given);
    if (!index || *index < 0 || static_cast<size_t>(*index) >= read_) {
      Fail(first, fmt::format("no column {} to keep, expected 0 to {}: the model's columns have no names",
                              Quoted(given), read_ - 1));
    }
    kept_.push_back(static_cast<size_t>(*index));
    kept_names_.push_back(given);
  }
}

void TableInputs::RequireLength(const CsvRow& row) const {
  for (size_t column = read_; column < std::min(columns_, row.cells.size()); ++column) {
    if (row.cells[column].empty()) continue;
    Fail(row, fmt::format("column {} (counted from 0): {}, but it is empty in line {}", column,
                          Quoted(row.cells[column]), first_line_));
  }
  if (row.cells.size() == columns_) return;
  Fail(row,
       fmt::format("{} column{}, line {} has {}", row.cells.size(), Plural(row.cells.size()), first_line_, columns_));
}

double TableInputs::NumberIn(const CsvRow& row, size_t column) const {
  const std::string& cell = row.cells[column];
  const std::optional<double> value = ParseCell(cell, csv_);
  if (value && std::isfinite(*value)) return *value;
  const bool may_be_names = row.line == first_line_ && !has_header();
  Fail(row, fmt::format("{}: {} {}{}", NameOf(column), Quoted(cell),
                        IsOutOfRange(cell)    ? "is beyond the range of a 64-bit float"
                        : csv_.decimal == '.' ? "is not a finite number"
                                              : "is not a finite number with a decimal comma",
                        may_be_names ? "; the model was made with a table that names no columns" : ""));
}

/// What ColumnEncoder encodes: a number, NaN where it is missing, or the index of a category.
double TableInputs::ValueOf(const CsvRow& row, size_t feature) const {
  const std::string& cell = row.cells[places_[feature]];
  const TableColumn& column = encoder_.columns()[feature];
  if (csv_.missing != CsvOptions::Missing::kRefuse && LooksMissing(cell)) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  if (column.categories.empty()) return NumberIn(row, places_[feature]);
  const std::string word = AsUtf8(cell);
  const auto found = words_[feature].find(word);
  if (found != words_[feature].end()) return static_cast<double>(found->second);
  if (unknown_as_missing_) return std::numeric_limits<double>::quiet_NaN();
  const bool missing = LooksMissing(cell);
  Fail(row, fmt::format("{}: {} is none of the categories that the model was made with{}; expected {}{}; "
                        "--unknown-as-missing takes it for a missing one",
                        NameOf(places_[feature]), Quoted(cell), SimilarClass(word, column.categories),
                        QuotedList(column.categories), missing ? " (data.csv.missing was FORBID)" : ""));
}

void TableInputs::Encode(const CsvRow& row, std::span<float> inputs) const {
  RequireLength(row);
  std::vector<double> values;
  for (size_t j = 0; j < places_.size(); ++j) values.push_back(ValueOf(row, j));
  const auto fault = encoder_.Encode(values, inputs);
  if (!fault) return;
  const size_t column = places_[fault->feature];
  const std::string cell = Quoted(row.cells[column]);
  if (fault->kind == ColumnEncoder::Fault::Kind::kTooFar) {
    Fail(row, fmt::format("{}: {} is too far from what the model was made with", NameOf(column), cell));
  }
  Fail(row, fmt::format("{}: {} is missing, and nothing takes its place", NameOf(column), cell));
}

const std::string& TableInputs::Label(const CsvRow& row) const {
  RequireLength(row);
  const std::string& label = row.cells[targets_[0]];
  if (label.empty()) Fail(row, "the label is empty");
  return label;
}

void TableInputs::Targets(const CsvRow& row, std::span<float> targets) const {
  RequireLength(row);
  for (size_t t = 0; t < targets_.size(); ++t) {
    const std::optional<float> scaled = schema_.target_scaling.ScaleToFloat(t, NumberIn(row, targets_[t]));
    if (!scaled) {
      Fail(row, fmt::format("{}: {} is too far from what the model was made with", NameOf(targets_[t]),
                            Quoted(row.cells[targets_[t]])));
    }
    targets[t] = *scaled;
  }
}

void TableInputs::CheckTargets(const CsvRow& row) const {
  for (const size_t target : targets_) {
    const std::string& cell = row.cells[target];
    if (cell.empty() || LooksMissing(cell) || ParseCell(cell, csv_)) continue;
    Fail(row, fmt::format("{}: {} is in the place of a target, but is no number: does the table have another column "
                          "more, or another order?",
                          NameOf(target), Quoted(cell)));
  }
}

std::vector<std::string> TableInputs::Kept(const CsvRow& row) const {
  std::vector<std::string> cells;
  for (const size_t column : kept_) cells.push_back(AsUtf8(row.cells[column]));
  return cells;
}

/// The table's column in messages. By name it has that of the model's table.
std::string TableInputs::NameOf(size_t column) const {
  return NameOfColumn(has_header() ? names_[column] : "", column, has_header());
}

/// What the model predicts, in words.
const char* TableInputs::WhatTargets() const {
  if (schema_.has_classes) return "the label";
  return schema_.Places(Use::kTarget).size() == 1 ? "the target" : "the targets";
}

void TableInputs::Fail(const CsvRow& row, const std::string& fault) const {
  throw Error(fmt::format("{}: line {}: {}", source_, row.line, fault));
}

}  // namespace twofour::train
