#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "twofour/train/data/csv.h"

namespace twofour::train {

/// A CSV file's contents: every column but one holds numbers.
struct CsvTable {
  std::vector<std::string> feature_names;  ///< [features]; empty without a header
  std::string label_name;                  ///< Likewise.
  int64_t label_column = 0;                ///< From 0.
  int64_t features = 0;
  std::vector<double> values;            ///< [rows, features], all finite
  std::vector<int32_t> labels;           ///< [rows], indices into label_names
  std::vector<std::string> label_names;  ///< Distinct, in order of appearance.
  std::vector<int64_t> lines;            ///< [rows], where each row begins in the file, from 1

  int64_t rows() const { return static_cast<int64_t>(labels.size()); }
};

/// Reads text of the form CsvReader describes; of the options, `label`, `delimiter` and `header` matter. `source` names
/// the file in messages. Throws Error, naming the line, on rows of unequal length, on features that are not finite
/// numbers, on empty labels, and when there are no rows or no such label column.
CsvTable ParseCsv(std::string_view text, const CsvOptions& options, const std::string& source);

}  // namespace twofour::train
