#pragma once

#include <cstdint>

#include "twofour/nn/semi_sparse_linear.h"

namespace twofour::nn {

/// The kinds of mask that a weight has during a run. Each kind needs other products.
struct MaskKinds {
  bool whole = false;        ///< Keeps everything: a dense product.
  bool two_of_four = false;  ///< At most two of four both ways, in every tile, as the 2:4 kernels need.
  bool other = false;        ///< Drops something, but may keep more than two of four in a row or column.
};

/// The kinds that a SemiSparseLinear of `options` with `tiles` tiles may have at any optimizer step in [first, last].
/// `first` must not be above `last`.
MaskKinds FindMaskKinds(const SemiSparseOptions& options, int64_t tiles, int64_t first, int64_t last);

}  // namespace twofour::nn
