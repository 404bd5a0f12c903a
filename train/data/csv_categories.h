#pragma once

#include <string>
#include <vector>

#include "twofour/train/data/csv_table.h"

namespace twofour::train {

/// Gives the table's features the categories of these columns, which are inputs, and puts the new indices into the
/// table's values. `source` names the file; `whose` says whose the categories are, such as "train.csv" or "the model".
/// Throws Error on another number of features, on words in the place of numbers or numbers in the place of words, and,
/// naming the line, on a word that is none of the categories.
void UseCategories(const std::vector<TableColumn>& inputs, CsvTable& table, const std::string& source,
                   const std::string& whose);

/// The columns of the table that are features. [features]
std::vector<TableColumn> FeatureColumns(const CsvTable& table);

}  // namespace twofour::train
