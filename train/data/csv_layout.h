#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "twofour/train/data/csv.h"
#include "twofour/train/data/csv_reader.h"
#include "twofour/train/data/csv_table.h"

namespace twofour::train {

/// What the first row of a file, together with the options, says about all others.
struct CsvLayout {
  size_t columns = 0;
  std::vector<TableColumn::Use> uses;  ///< [columns]
  std::vector<bool> categorical;       ///< [columns]: by the options, whatever the cells hold.
  std::optional<size_t> label;         ///< Nothing where the targets are numbers.
  std::vector<size_t> targets;         ///< Columns of numbers to predict, in the order of the file to train on.
  bool has_header = false;
  int64_t first_line = 1;
  std::vector<std::string> names;  ///< [columns]; empty without a header.
  std::string note;                ///< Not empty where it is uncertain whether there is a header.
  std::string other_separator;     ///< What may be wrong with the separator, for messages.

  std::string NameOfColumn(size_t column) const;
};

/// Finds out whether `first` is a header, and what each column is for. `like` is the table of options.path where this
/// is the file to evaluate on. See ParseCsv for the errors.
CsvLayout ReadCsvLayout(const CsvRow& first, std::string_view text, const CsvOptions& options,
                        const std::string& source, const CsvTable* like);

}  // namespace twofour::train
