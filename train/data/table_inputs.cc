#include "twofour/train/data/table_inputs.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/train/data/csv_header.h"
#include "twofour/train/data/csv_scaling.h"
#include "twofour/train/data/csv_separator.h"
#include "twofour/train/data/text.h"
#include "twofour/train/data/utf8.h"

namespace twofour::train {
namespace {

/// "a", "b", "c" and 7 more
std::string List(const std::vector<std::string>& names) {
  constexpr size_t kMost = 8;
  std::vector<std::string> shown;
  for (size_t i = 0; i < std::min(names.size(), kMost); ++i) shown.push_back(Quoted(names[i]));
  return fmt::format("{}{}", fmt::join(shown, ", "),
                     names.size() > kMost ? fmt::format(" and {} more", names.size() - kMost) : "");
}

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

}  // namespace

TableInputs::TableInputs(const CsvRow& first, TableSchema schema, const CsvOptions& csv, const TableWishes& wishes,
                         std::string source)
    : schema_(std::move(schema)),
      csv_(csv),
      source_(std::move(source)),
      columns_(first.cells.size()),
      read_(columns_),
      first_line_(first.line) {
  if (has_header()) {
    FindByName(first, wishes);
  } else {
    FindByPosition(first, wishes);
  }
  if (wishes.label && !label_) {
    Fail(first, has_header()
                    ? fmt::format("no column {}, the label", Quoted(schema_.label_name.value_or("")))
                    : fmt::format("{} columns, expected {}: features and a label", columns_, schema_.features + 1));
  }
}

/// Takes the columns by position where the header is that of the model's table, with or without the label. Only then
/// may two columns have the same name, or the label none.
bool TableInputs::FindSameHeader(const std::vector<std::string>& names) {
  std::vector<std::string> with_label = schema_.feature_names;
  if (schema_.label_column && *schema_.label_column <= schema_.features) {
    with_label.insert(with_label.begin() + *schema_.label_column, schema_.label_name.value_or(""));
    if (names == with_label) label_ = static_cast<size_t>(*schema_.label_column);
  }
  if (!label_ && names != schema_.feature_names) return false;
  for (size_t column = 0; column < names.size(); ++column) {
    if (column != label_) places_.push_back(column);
  }
  return true;
}

void TableInputs::FindByName(const CsvRow& first, const TableWishes& wishes) {
  std::vector<std::string> names = NamesIn(first);
  const bool same_header = FindSameHeader(names);
  if (!same_header) {
    read_ = FilledColumns(first);
    names.resize(read_);
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
  if (!same_header && !FindSameHeader(names)) {
    std::vector<std::string> missing;
    std::unordered_set<std::string_view> known;
    for (const std::string& name : schema_.feature_names) {
      if (!known.insert(name).second) {
        Fail(first,
             fmt::format("the model was made with several columns named {}, expected the same header", Quoted(name)));
      }
      const std::optional<size_t> place = find(name);
      place ? places_.push_back(*place) : missing.push_back(name);
    }
    if (places_.empty()) {
      Fail(first, fmt::format("names none of the model's columns, expected a header with {}, separated by {}",
                              List(schema_.feature_names), NameOfSeparator(csv_.delimiter)));
    }
    if (!missing.empty()) {
      Fail(first, fmt::format("no column{} {}, which the model was made with", Plural(missing.size()), List(missing)));
    }
    if (schema_.label_name) label_ = find(*schema_.label_name);
  }
  std::vector<bool> used(names.size());
  for (const size_t place : places_) used[place] = true;
  if (label_) used[*label_] = true;
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
                            Plural(extra.size()), List(extra), them));
  }
  if (!extra.empty()) {
    notes_.push_back(fmt::format("{}: column{} {} left out: the model was not made with {}", source_,
                                 Plural(extra.size()), List(extra), them));
  }
  if (!std::ranges::is_sorted(places_)) {
    notes_.push_back(
        fmt::format("{}: its columns are in another order than those that the model was made with; they "
                    "were found by name",
                    source_));
  }
}

void TableInputs::FindByPosition(const CsvRow& first, const TableWishes& wishes) {
  const auto features = static_cast<size_t>(schema_.features);
  const bool knows_label = schema_.label_column && *schema_.label_column <= schema_.features;
  const auto fits = [&](size_t columns) { return columns == features || (knows_label && columns == features + 1); };
  if (!fits(columns_)) read_ = FilledColumns(first);
  if (!fits(read_)) {
    Fail(first, fmt::format("{} column{}, expected {}, or {} with the label: the model's columns have no names",
                            columns_, Plural(columns_), features, features + 1));
  }
  if (read_ == features + 1) label_ = static_cast<size_t>(*schema_.label_column);
  for (size_t column = 0; column < read_; ++column) {
    if (column != label_) places_.push_back(column);
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

void TableInputs::Encode(const CsvRow& row, std::span<float> inputs) const {
  RequireLength(row);
  for (size_t j = 0; j < places_.size(); ++j) {
    const std::string& cell = row.cells[places_[j]];
    const std::optional<double> value = ParseCell(cell, csv_);
    if (!value || !std::isfinite(*value)) {
      const bool may_be_names = row.line == first_line_ && !has_header();
      Fail(row, fmt::format("{}: {} {}{}", NameOf(j), Quoted(cell),
                            IsOutOfRange(cell)    ? "is beyond the range of a 64-bit float"
                            : csv_.decimal == '.' ? "is not a finite number"
                                                  : "is not a finite number with a decimal comma",
                            may_be_names ? "; the model was made with a table that names no columns" : ""));
    }
    const double input = ScaledFeature(schema_.scaling, j, *value);
    if (!(std::abs(input) <= std::numeric_limits<float>::max())) {
      Fail(row, fmt::format("{}: {} is too far from what the model was made with", NameOf(j), Quoted(cell)));
    }
    inputs[j] = static_cast<float>(input);
  }
}

const std::string& TableInputs::Label(const CsvRow& row) const {
  RequireLength(row);
  const std::string& label = row.cells[*label_];
  if (label.empty()) Fail(row, "the label is empty");
  return label;
}

std::vector<std::string> TableInputs::Kept(const CsvRow& row) const {
  std::vector<std::string> cells;
  for (const size_t column : kept_) cells.push_back(AsUtf8(row.cells[column]));
  return cells;
}

std::string TableInputs::NameOf(size_t feature) const {
  return has_header() ? fmt::format("column {}", Quoted(schema_.feature_names[feature]))
                      : fmt::format("column {} (counted from 0)", places_[feature]);
}

void TableInputs::Fail(const CsvRow& row, const std::string& fault) const {
  throw Error(fmt::format("{}: line {}: {}", source_, row.line, fault));
}

}  // namespace twofour::train
