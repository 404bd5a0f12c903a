#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "twofour/train/data/table_schema.h"

namespace twofour::train {

/// Turns the values of a table's features into a model's inputs.
class ColumnEncoder {
 public:
  /// A value that cannot be encoded.
  struct Fault {
    enum class Kind {
      kMissing,  ///< A number is missing, and nothing takes its place.
      kTooFar,   ///< It is so far from the mean that f32 cannot hold the input.
    };
    size_t feature;
    Kind kind;
  };

  explicit ColumnEncoder(const TableSchema& schema);

  int64_t inputs() const { return inputs_; }
  /// The column of each feature. [features]
  const std::vector<TableColumn>& columns() const { return columns_; }

  /// `values` [features]: numbers, NaN where one is missing, and of categories their index. Writes `inputs` [inputs],
  /// or says which feature cannot be encoded.
  std::optional<Fault> Encode(std::span<const double> values, std::span<float> inputs) const;

 private:
  std::vector<TableColumn> columns_;  // Those that are inputs.
  FeatureScaling scaling_;
  int64_t inputs_;
};

}  // namespace twofour::train
