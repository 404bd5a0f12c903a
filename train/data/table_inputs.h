#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "twofour/train/data/csv.h"
#include "twofour/train/data/csv_reader.h"
#include "twofour/train/data/table_schema.h"

namespace twofour::train {

/// What is wanted of a table that is read for a model that exists.
struct TableWishes {
  bool label = false;         ///< The column of the class must be there. Otherwise it may be.
  bool ignore_extra = false;  ///< Columns that the model does not know are left out. Otherwise they are an Error.
  std::vector<std::string> keep = {};  ///< Columns that are handed on as they are, by name or (without names) by index.
};

/// Turns rows of a table into the inputs of a model that was made with another table. Columns are found by name where
/// the model's table had names, and otherwise by position.
class TableInputs {
 public:
  /// `csv` says how numbers are written. `source` names the file in messages. Looks at the table's first row. Throws
  /// Error if columns of the model are missing, occur twice or are unknown, and if a wish cannot be fulfilled.
  TableInputs(const CsvRow& first, TableSchema schema, const CsvOptions& csv, const TableWishes& wishes,
              std::string source);

  /// Whether the first row only names the columns.
  bool has_header() const { return !schema_.feature_names.empty(); }
  /// Writes the row's inputs. [features] Throws Error, naming line and column, on a row of another length, and on a
  /// cell that is no finite number or is so far from the mean that f32 cannot hold the input.
  void Encode(const CsvRow& row, std::span<float> inputs) const;
  /// The row's label. Only if the wishes ask for it. Throws Error if it is empty.
  const std::string& Label(const CsvRow& row) const;
  /// The cell of the label; null if the table has no such column.
  const std::string* LabelIfThere(const CsvRow& row) const { return label_ ? &row.cells[*label_] : nullptr; }
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
  std::string NameOf(size_t feature) const;
  [[noreturn]] void Fail(const CsvRow& row, const std::string& fault) const;

  TableSchema schema_;
  CsvOptions csv_;
  std::string source_;
  size_t columns_ = 0;  // Of each row.
  size_t read_ = 0;     // Of these, all after so many are empty.
  int64_t first_line_ = 1;
  std::vector<size_t> places_;   // [features]: the column of each feature.
  std::optional<size_t> label_;  // The column of the class, if the table has it.
  std::vector<size_t> kept_;
  std::vector<std::string> kept_names_;
  std::vector<std::string> notes_;
};

}  // namespace twofour::train
