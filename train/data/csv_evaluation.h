#pragma once

#include <optional>
#include <string>

#include "twofour/train/data/csv.h"
#include "twofour/train/data/csv_table.h"

namespace twofour::train {

/// Brings the columns of `eval`, the table of options.eval_path, into the order of `train`, that of options.path. They
/// are found by name where both files have headers, and by place otherwise. Adds a note to `eval` where their order
/// was another one. Throws Error where they are not the same columns, and where their order differs and two have one
/// name.
void MatchColumns(const CsvTable& train, CsvTable& eval, const CsvOptions& options);

/// Says that each row to evaluate on is one to train on as well, features and label, where that is so.
std::optional<std::string> NoteSameRows(const CsvTable& train, const CsvTable& eval, const CsvOptions& options);

}  // namespace twofour::train
