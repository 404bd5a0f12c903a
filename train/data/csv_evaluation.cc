#include "twofour/train/data/csv_evaluation.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/train/data/text.h"

namespace twofour::train {
namespace {

/// ": it lacks column "y"", ": column "z" is in it alone", or nothing.
std::string OneSidedColumn(const CsvTable& train, const CsvTable& eval) {
  const auto missing_in = [](const std::vector<std::string>& names, const std::vector<std::string>& others) {
    return std::ranges::find_if(names,
                                [&](const auto& name) { return std::ranges::find(others, name) == others.end(); });
  };
  if (!train.has_header() || !eval.has_header()) return "";
  const auto lacking = missing_in(train.feature_names, eval.feature_names);
  if (lacking != train.feature_names.end()) return fmt::format(": it lacks column {}", Quoted(*lacking));
  const auto extra = missing_in(eval.feature_names, train.feature_names);
  return extra == eval.feature_names.end() ? "" : fmt::format(": column {} is in it alone", Quoted(*extra));
}

/// Puts column place_of[j] of the table's features at place j.
void Reorder(const std::vector<size_t>& place_of, CsvTable& table) {
  const size_t features = place_of.size();
  std::vector<double> row(features);
  for (size_t begin = 0; begin < table.values.size(); begin += features) {
    std::copy_n(table.values.begin() + static_cast<std::ptrdiff_t>(begin), features, row.begin());
    for (size_t j = 0; j < features; ++j) table.values[begin + j] = row[place_of[j]];
  }
}

/// A hash of a row's features and label or targets; equal for equal rows.
uint64_t HashOfRow(const CsvTable& table, int64_t row) {
  uint64_t hash = 0;
  const auto add = [&hash](double value) {
    constexpr uint64_t kOdd = 0x9E3779B97F4A7C15;
    hash = (std::rotl(hash, 27) ^ std::bit_cast<uint64_t>(value == 0 ? 0.0 : value)) * kOdd;
  };
  if (table.has_labels()) {
    hash =
        std::hash<std::string_view>()(table.label_names[static_cast<size_t>(table.labels[static_cast<size_t>(row)])]);
  }
  for (int64_t target = 0; target < table.num_targets; ++target) {
    add(table.targets[static_cast<size_t>(row * table.num_targets + target)]);
  }
  for (int64_t feature = 0; feature < table.features; ++feature) add(table.value(row, feature));
  return hash;
}

}  // namespace

void MatchColumns(const CsvTable& train, CsvTable& eval, const CsvOptions& options) {
  if (eval.features != train.features) {
    throw Error(fmt::format("{}: {} features, but {} has {}{}", options.eval_path, eval.features, options.path,
                            train.features, OneSidedColumn(train, eval)));
  }
  if (!train.has_header() || !eval.has_header() || train.feature_names == eval.feature_names) return;
  std::unordered_map<std::string_view, size_t> places;
  for (size_t place = 0; place < eval.feature_names.size(); ++place) {
    const bool is_new = places.emplace(eval.feature_names[place], place).second;
    if (is_new) continue;
    throw Error(
        fmt::format("{}: two columns are named {}, and the header is not that of {}: which is which cannot be "
                    "known",
                    options.eval_path, Quoted(eval.feature_names[place]), options.path));
  }
  std::vector<size_t> place_of;
  for (size_t j = 0; j < train.feature_names.size(); ++j) {
    const auto found = places.find(train.feature_names[j]);
    if (found == places.end()) {
      throw Error(fmt::format("{}: no column {}, which {} has; column {} (counted from 0) is named {}",
                              options.eval_path, Quoted(train.feature_names[j]), options.path, eval.feature_columns[j],
                              Quoted(eval.feature_names[j])));
    }
    place_of.push_back(found->second);
    places.erase(found);  // So a second column of that name in `train` finds none.
  }
  Reorder(place_of, eval);
  std::vector<size_t> columns;
  for (const size_t place : place_of) columns.push_back(eval.feature_columns[place]);
  eval.feature_columns = std::move(columns);
  eval.feature_names = train.feature_names;
  eval.notes.push_back(fmt::format("{}: its columns are in another order than those of {}; they were found by name",
                                   options.eval_path, options.path));
}

std::optional<std::string> NoteSameRows(const CsvTable& train, const CsvTable& eval, const CsvOptions& options) {
  // The first rows nearly always decide, in one pass that stores nothing of the training rows.
  constexpr int64_t kFirstRows = 64;
  std::unordered_set<uint64_t> missing;
  for (int64_t row = 0; row < std::min(eval.rows(), kFirstRows); ++row) missing.insert(HashOfRow(eval, row));
  for (int64_t row = 0; row < train.rows() && !missing.empty(); ++row) missing.erase(HashOfRow(train, row));
  if (!missing.empty()) return std::nullopt;
  std::vector<uint64_t> known;
  for (int64_t row = 0; row < train.rows(); ++row) known.push_back(HashOfRow(train, row));
  std::ranges::sort(known);
  for (int64_t row = 0; row < eval.rows(); ++row) {
    if (!std::ranges::binary_search(known, HashOfRow(eval, row))) return std::nullopt;
  }
  return fmt::format("{}: each of its {} rows is one of {} as well: the evaluation says nothing about other data",
                     options.eval_path, eval.rows(), options.path);
}

}  // namespace twofour::train
