#pragma once

#include <memory>
#include <string>
#include <vector>

#include "twofour/train/data/csv.h"
#include "twofour/train/data/dataset.h"
#include "twofour/train/data/table_inputs.h"
#include "twofour/train/data/table_schema.h"

namespace twofour::train {

/// A table that was read for a model that exists.
struct TableSamples {
  std::shared_ptr<const Dataset> samples;
  std::vector<std::string> notes;  ///< What was assumed, one line each.
};

/// Loads a table, gzip'd or not, with its labels or targets, as samples for a model that was made with these columns
/// and classes (in UTF-8; none if the targets are numbers). `csv` says how the table is written. Throws Error as
/// TableInputs does, on a label that is none of the classes, and if there are no rows.
TableSamples LoadTableSamples(const std::string& path, const TableSchema& schema,
                              const std::vector<std::string>& class_names, const CsvOptions& csv, TableWishes wishes);

}  // namespace twofour::train
