#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "twofour/train/data/csv.h"
#include "twofour/train/data/table_schema.h"

namespace twofour::train {

/// A missing value of a feature.
inline constexpr double kMissingValue = std::numeric_limits<double>::quiet_NaN();

/// A CSV file's contents: features, and a column of labels or columns of targets.
struct CsvTable {
  /// All columns in the file's order, with the bytes of their names. Categories are known, other parts of an input's
  /// column are not.
  std::vector<TableColumn> columns;
  std::vector<size_t> feature_columns;     ///< [features]: where they are among the columns.
  std::vector<std::string> feature_names;  ///< [features]; empty without a header
  std::string label_name;                  ///< Empty without a header, and without labels.
  int64_t label_column = 0;                ///< Counted from 0. Means nothing without labels.
  int64_t features = 0;
  std::vector<double> values;            ///< [rows, features]: finite, or kMissingValue; of categories: their index
  std::vector<int32_t> labels;           ///< [rows], indices into label_names; or empty
  std::vector<std::string> label_names;  ///< Distinct, in order of appearance.
  int64_t num_targets = 0;
  std::vector<double> targets;     ///< [rows, num_targets], all finite
  std::vector<int64_t> lines;      ///< [rows], the line at which each row begins, from 1
  std::vector<std::string> notes;  ///< What was assumed in reading it, one line each.

  int64_t rows() const { return static_cast<int64_t>(lines.size()); }
  bool has_header() const { return !feature_names.empty(); }
  bool has_labels() const { return num_targets == 0; }
  double value(int64_t row, int64_t feature) const { return values[static_cast<size_t>(row * features + feature)]; }
  bool IsCategorical(int64_t feature) const {
    const auto i = static_cast<size_t>(feature);
    return i < feature_columns.size() && !columns[feature_columns[i]].categories.empty();
  }
};

/// The feature's name in quotes or, where the file has no header, "in column 3 (counted from 0)".
std::string FeatureName(const CsvTable& table, int64_t feature);

/// Reads text in the form that CsvReader describes, with all options that say how a file is written. Leaves out columns
/// at the end that are empty in every line. `source` names the file in messages. `like` is the table of options.path
/// where this is the file to evaluate on: columns are then what they are there, and the label and targets are those of
/// the same names. Throws Error, naming the line, on rows of unequal length, on features that are not finite numbers
/// (finite 32-bit floats where they are not scaled) and that the options do not take otherwise, on targets that are no
/// numbers, on empty labels, when there are no rows, when there is no such column, and when only one of the two files
/// has a header.
CsvTable ParseCsv(std::string_view text, const CsvOptions& options, const std::string& source,
                  const CsvTable* like = nullptr);

}  // namespace twofour::train
