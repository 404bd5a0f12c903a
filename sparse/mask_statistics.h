#pragma once

#include <cstdint>

#include "twofour/core/tensor.h"
#include "twofour/sparse/mask.h"

namespace twofour::sparse {

/// What a mask does to a weight, for people who watch a training run.
struct MaskStatistics {
  double sparsity = 0;              ///< Share of entries that are dropped.
  int64_t tiles_keeping_seven = 0;  ///< Tiles in which greedy found no place for an eighth entry.
  int64_t dead_rows = 0;     ///< Rows of which the mask keeps only zeros: outputs that do not depend on the input.
  int64_t dead_columns = 0;  ///< Columns of which it keeps only zeros: inputs that no output depends on.
};

/// f32 `weight` has the mask's shape. Throws Error on another.
MaskStatistics StatisticsOf(const Tensor& weight, const Mask& mask);

}  // namespace twofour::sparse
