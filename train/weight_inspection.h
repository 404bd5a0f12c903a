#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "twofour/core/io/safetensors.h"
#include "twofour/sparse/group_pattern.h"

namespace twofour::train {

/// What one tensor of a file of weights holds.
struct TensorInspection {
  std::string name;
  std::string dtype;  ///< As the file names it.
  std::vector<uint64_t> shape;
  /// Below: nothing for tensors of integers and bools, and of dtypes that twofour lacks.
  std::optional<double> sparsity = {};  ///< The share of zeros.
  /// Whether NAME_mask, bools of the same shape, lies beside it. Where it is false, the weight counts as zero.
  bool masked = false;
  int64_t not_finite = 0;  ///< Infinities and NaNs.
  /// For matrices: the N:M patterns that hold (see FindGroupPatterns).
  std::vector<sparse::GroupPattern> along_rows = {}, along_columns = {};
  /// For matrices: the first group that is not 2:4, in each direction; nothing if it is 2:4.
  std::optional<sparse::PatternViolation> first_in_rows = {}, first_in_columns = {};
};

/// Looks at the tensors of a file, in its order. Masks are read with their weights and not listed themselves.
std::vector<TensorInspection> InspectTensors(const SafetensorsFile& file);

}  // namespace twofour::train
