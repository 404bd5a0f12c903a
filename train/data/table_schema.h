#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace twofour::train {

/// How numbers are scaled: number j becomes (number - mean[j]) / stddev[j]. Both are empty where numbers are taken as
/// they are.
struct FeatureScaling {
  std::vector<double> mean = {};
  std::vector<double> stddev = {};

  /// Number j, scaled.
  double Scale(size_t j, double value) const { return mean.empty() ? value : (value - mean[j]) / stddev[j]; }
  /// The same as f32; nothing where that cannot hold it.
  std::optional<float> ScaleToFloat(size_t j, double value) const;
  /// The number that was scaled to `value`.
  double Unscale(size_t j, double value) const { return mean.empty() ? value : value * stddev[j] + mean[j]; }
};

/// One column of a table.
struct TableColumn {
  enum class Use {
    kInput,
    kTarget,   ///< What is to be predicted: a class or a number.
    kDropped,  ///< Nobody looks at it.
  };

  std::string name = {};  ///< In UTF-8; empty where columns have no names.
  Use use = Use::kInput;
  /// Only for inputs: the words of the column, in UTF-8. Each is an input of its own, which is 1 where the cell is that
  /// word and 0 elsewhere. Empty where the cells are numbers, which make one input.
  std::vector<std::string> categories = {};
  /// Only for inputs: the number that takes the place of a missing one. Nothing: a missing number is an Error.
  std::optional<double> fill = {};
  /// Only for inputs: whether there is one more input, after all others of this column, that is 1 where the cell is
  /// missing and 0 elsewhere. Without it, all inputs of a missing word are 0.
  bool missing_input = false;

  bool operator==(const TableColumn&) const = default;

  /// How many of a model's inputs are of this column.
  int64_t inputs() const;
  /// Whether it is numbers that may not be missing.
  bool is_plain() const { return categories.empty() && !fill && !missing_input; }
};

/// Where the columns with this use are.
std::vector<size_t> PlacesOf(const std::vector<TableColumn>& columns, TableColumn::Use use);

/// A column in messages: "column "age"" or, without names, "column 3 (counted from 0)".
std::string NameOfColumn(const std::string& name, size_t place, bool has_names);

/// How a table became the samples of a model. Other tables are read by it.
struct TableSchema {
  std::vector<TableColumn> columns = {};  ///< In the table's order.
  bool has_names = false;
  bool has_classes = true;             ///< The target is a class. Otherwise targets are numbers.
  FeatureScaling scaling = {};         ///< Of inputs. [inputs], with mean 0 and standard deviation 1 for words.
  FeatureScaling target_scaling = {};  ///< Of targets that are numbers. [targets]

  int64_t inputs() const;
  /// The names of the inputs: of a column of numbers its own, of others "color=red" and "age (missing)". Empty without
  /// names.
  std::vector<std::string> InputNames() const;
  std::vector<size_t> Places(TableColumn::Use use) const { return PlacesOf(columns, use); }
  /// The names of the targets or, without names, their columns: "0" for the first.
  std::vector<std::string> TargetNames() const;
};

}  // namespace twofour::train
