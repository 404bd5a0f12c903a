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
  std::string label_name;                  ///< Empty without a header.
  int64_t label_column = 0;                ///< Counted from 0.
  int64_t features = 0;
  std::vector<double> values;            ///< [rows, features], all finite
  std::vector<int32_t> labels;           ///< [rows], indices into label_names
  std::vector<std::string> label_names;  ///< Distinct, in order of appearance.
  std::vector<int64_t> lines;            ///< [rows], the line at which each row begins, from 1
  std::vector<std::string> notes;        ///< What was assumed in reading it, one line each.

  int64_t rows() const { return static_cast<int64_t>(labels.size()); }
  bool has_header() const { return !feature_names.empty(); }
};

/// The feature's name in quotes, or its index where the file has no header.
std::string FeatureName(const CsvTable& table, int64_t feature);

/// Reads text in the form that CsvReader describes, with all options that say how a file is written. Leaves out columns
/// at the end that are empty in every line. `source` names the file in messages. `like` is the table of options.path
/// where this is the file to evaluate on; the label is then the column of the same name. Throws Error, naming the line,
/// on rows of unequal length, on features that are not finite numbers (finite 32-bit floats where they are not scaled),
/// on empty labels, when there are no rows, when there is no such label column, and when only one of the two files has
/// a header.
CsvTable ParseCsv(std::string_view text, const CsvOptions& options, const std::string& source,
                  const CsvTable* like = nullptr);

}  // namespace twofour::train
