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
  std::vector<std::string> notes;        ///< What was assumed in reading it, a line each.

  int64_t rows() const { return static_cast<int64_t>(labels.size()); }
  bool has_header() const { return !feature_names.empty(); }
};

/// The feature's name in quotes, or its place where the file has no header.
std::string FeatureName(const CsvTable& table, int64_t feature);

/// Reads text of the form CsvReader describes; of the options, all matter that say how a file is written. Columns at
/// the end that are empty in every line are left out. `source` names the file in messages. `like` is the table of
/// options.path where this is the file to evaluate on: the label is then the column of the same name. Throws Error,
/// naming the line, on rows of unequal length, on features that are not finite numbers (where they are not scaled:
/// 32-bit floats), on empty labels, and when there are no rows or no such label column, or a header here alone.
CsvTable ParseCsv(std::string_view text, const CsvOptions& options, const std::string& source,
                  const CsvTable* like = nullptr);

}  // namespace twofour::train
