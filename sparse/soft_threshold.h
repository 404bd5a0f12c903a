#pragma once

#include "twofour/core/tensor.h"
#include "twofour/sparse/mask.h"
#include "twofour/sparse/row_mask.h"

namespace twofour::sparse {

/// f32 `weight` [rows, cols] in which each kept entry is moved towards zero by the largest magnitude that its group of
/// `pattern.of` neighbours drops, and all others are 0: so an entry passes through zero, instead of jumping, when it
/// comes to be kept or dropped. Hu et al., "S-STE: Continuous Pruning Function for Efficient 2:4 Sparse Pre-training",
/// 2024. `mask` is FindRowMask's for the pattern. Throws Error on other shapes.
Tensor SoftThreshold(const Tensor& weight, const RowPattern& pattern, const Mask& mask);

/// The factor that brings `pruned` nearest to `weight` (the least sum of squared differences): <weight, pruned> /
/// <pruned, pruned>; 1 where pruned is all zeros. Equal shapes.
double ScaleToFit(const Tensor& weight, const Tensor& pruned);

}  // namespace twofour::sparse
