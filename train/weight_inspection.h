#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "twofour/core/io/safetensors.h"
#include "twofour/sparse/group_pattern.h"
#include "twofour/train/exchange/packed_tensors.h"

namespace twofour::train {

/// What one tensor of a file of weights holds.
struct TensorInspection {
  std::string name;
  std::string dtype;  ///< As the file names it.
  std::vector<uint64_t> shape;
  /// How the file holds the weight, if in parts: the shape is then the weight's.
  std::optional<PackedWeightInfo> packed = {};
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

struct FileInspection {
  std::vector<TensorInspection> tensors;
  /// Why parts of packed weights are listed as they are; empty if they became weights, or if there are none.
  std::string not_unpacked;
};

/// Looks at the tensors of a file, in its order. Masks are read with their weights, and the parts of packed weights
/// (packed_tensors.h) as the weights that they make, and neither are listed themselves.
/// `look`, if given, also sees each matrix of floating numbers: what was found, and an f32 matrix that is 0 where the
/// weight counts as zero and 1 elsewhere.
FileInspection InspectTensors(SafetensorsFile file, const std::string& source,
                              const std::function<void(const TensorInspection&, const Tensor& nonzero)>& look = {});

}  // namespace twofour::train
