#pragma once

#include <cstdint>
#include <span>

#include "twofour/train/data/csv_table.h"
#include "twofour/train/data/table_schema.h"

namespace twofour::train {

/// How the table's rows become samples, as its training `rows` say. `scaling` is that of its features. Throws Error
/// where a feature is missing in all of these rows.
TableSchema LearnSchema(const CsvTable& table, std::span<const int64_t> rows, const FeatureScaling& scaling,
                        const CsvOptions& options);

/// This table's columns, whose cells become inputs as those of the table did with which a model was made
/// (options.as_before, which must be there). Throws Error where they do not fit this table or the options.
TableSchema SchemaAsBefore(const CsvTable& table, const CsvOptions& options);

}  // namespace twofour::train
