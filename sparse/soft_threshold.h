#pragma once

#include "twofour/core/tensor.h"
#include "twofour/sparse/mask.h"
#include "twofour/sparse/row_mask.h"

namespace twofour::sparse {

/// Returns f32 `weight` [rows, cols] with each kept entry moved towards zero by the largest magnitude that its group of
/// `pattern.of` neighbours drops; all others are 0. So an entry that begins or ceases to be kept passes through zero
/// instead of jumping. Hu et al., "S-STE: Continuous Pruning Function for Efficient 2:4 Sparse Pre-training", 2024.
/// `mask` is what FindRowMask finds for the pattern. Throws Error on other shapes.
Tensor SoftThreshold(const Tensor& weight, const RowPattern& pattern, const Mask& mask);

/// The factor that brings `pruned` nearest to `weight`, in the sum of squared differences: <weight, pruned> / <pruned,
/// pruned>; 1 if pruned is all zeros. The shapes must be equal.
double ScaleToFit(const Tensor& weight, const Tensor& pruned);

}  // namespace twofour::sparse
