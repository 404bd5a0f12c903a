#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "twofour/train/data/column_encoder.h"
#include "twofour/train/data/csv.h"
#include "twofour/train/data/csv_reader.h"
#include "twofour/train/data/table_schema.h"

namespace twofour::train {

/// What is wanted of a table that is read for a model that exists.
struct TableWishes {
  bool targets = false;       ///< The column of the class, or those of the targets, must be there. Otherwise they may.
  bool ignore_extra = false;  ///< Columns that the model does not know are left out. Otherwise they are an Error.
  bool unknown_as_missing = false;     ///< Words that the model does not know are missing words. Otherwise an Error.
  std::vector<std::string> keep = {};  ///< Columns that are handed on as they are, by name or (without names) by index.
};

/// Turns rows of a table into the inputs of a model that was made with another table. Columns are found by name where
/// the model's table had names, and otherwise by position. Those that were dropped then may be there or not by name,
/// and must be there by position.
class TableInputs {
 public:
  /// `csv` says how numbers are written. `source` names the file in messages. Looks at the table's first row. Throws
  /// Error if columns of the model are missing, occur twice or are unknown, and if a wish cannot be fulfilled.
  TableInputs(const CsvRow& first, TableSchema schema, const CsvOptions& csv, const TableWishes& wishes,
              std::string source);

  /// Whether the first row only names the columns.
  bool has_header() const { return schema_.has_names; }
  /// Writes the row's inputs. [inputs] Throws Error, naming line and column, on a row of another length, and on a cell
  /// that is no finite number or none of the categories, is missing where that is not allowed, or is so far from the
  /// mean that f32 cannot hold the input.
  void Encode(const CsvRow& row, std::span<float> inputs) const;
  /// The row's label. Only if the wishes ask for it. Throws Error if it is empty.
  const std::string& Label(const CsvRow& row) const;
  /// Writes the row's targets, scaled. [targets] Only if the wishes ask for them. Throws Error on a cell that is no
  /// finite number, or is too far from the mean.
  void Targets(const CsvRow& row, std::span<float> targets) const;
  /// Throws Error where a cell in the place of a target, which need not be there, is neither empty nor a number.
  void CheckTargets(const CsvRow& row) const;
  /// The cell of the label, or of the first target; null if the table has no such column.
  const std::string* TargetIfThere(const CsvRow& row) const {
    return targets_.empty() ? nullptr : &row.cells[targets_[0]];
  }
  /// The names of the kept columns, and their cells in a row, in UTF-8.
  const std::vector<std::string>& kept_names() const { return kept_names_; }
  std::vector<std::string> Kept(const CsvRow& row) const;

  /// What was assumed, one line each.
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  bool FindSameHeader(const std::vector<std::string>& names);
  void FindByName(const CsvRow& first, const TableWishes& wishes);
  void FindByPosition(const CsvRow& first, const TableWishes& wishes);
  void RequireLength(const CsvRow& row) const;
  double ValueOf(const CsvRow& row, size_t feature) const;
  double NumberIn(const CsvRow& row, size_t column) const;
  std::string NameOf(size_t column) const;
  const char* WhatTargets() const;
  [[noreturn]] void Fail(const CsvRow& row, const std::string& fault) const;

  TableSchema schema_;
  CsvOptions csv_;
  std::string source_;
  size_t columns_ = 0;  // Of each row.
  size_t read_ = 0;     // Of these, all after so many are empty.
  int64_t first_line_ = 1;
  std::vector<std::string> names_;  // Of the table's columns; empty without.
  ColumnEncoder encoder_;
  std::vector<std::unordered_map<std::string, size_t>> words_;  // [features]: the index of each category.
  std::vector<size_t> places_;                                  // [features]: the column of each feature.
  std::vector<size_t> targets_;  // The columns of the label or of all targets; empty if the table has them not.
  std::vector<size_t> kept_;
  std::vector<std::string> kept_names_;
  bool unknown_as_missing_ = false;
  std::vector<std::string> notes_;
};

}  // namespace twofour::train
