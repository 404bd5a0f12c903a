#pragma once

#include <optional>
#include <string>

#include "twofour/train/data/csv.h"
#include "twofour/train/data/csv_table.h"

namespace twofour::train {

/// Puts the columns of `eval` (the table of options.eval_path) into the order of `train` (the table of options.path).
/// Columns are matched by name where both files have headers, and by position otherwise. Adds a note to `eval` where
/// the order differed. Throws Error where the columns are not the same, and where the order differs and two columns
/// have the same name.
void MatchColumns(const CsvTable& train, CsvTable& eval, const CsvOptions& options);

/// A note where every evaluation row is also a training row, in features and label.
std::optional<std::string> NoteSameRows(const CsvTable& train, const CsvTable& eval, const CsvOptions& options);

}  // namespace twofour::train
