#pragma once

#include <span>

#include "twofour/core/faults.h"
#include "twofour/sparse/allocation/allocation.h"

namespace twofour::sparse {

struct OutlierAllocationOptions {
  AllocationOptions allocation = {};
  double lambda = 0.08;  ///< Half of the difference between the sparsest and the least sparse layer.
};

/// Rules: those of the allocation; lambda is 0 to 1.
void Check(const OutlierAllocationOptions& options, const FieldPath& at, Faults& faults);

/// OWL (Yin et al., "Outlier Weighed Layerwise Sparsity (OWL): A Missing Secret Sauce for Pruning LLMs to High
/// Sparsity", ICML 2024): the larger the share of outliers D of a layer (OutlierShare), the less sparse is it. As in
/// the published code,
///     S_l = S - (d_l - mean d),  d_l = 2 lambda (D_l - min D) / (max D - min D),
/// with the target S. So the sparsest and the least sparse layer are 2 lambda apart, and one may be further than lambda
/// from the target. The mean is weighted by entries; where bounds clip layers, another amount takes its place, so that
/// the target is met. If all shares are equal, all layers get the target.
///
/// For n:m a small lambda only decides which layers get the sparser one of two patterns, and nothing where the target
/// is the sparsity of a pattern.
///
/// The published code computes one share for each transformer block, over all its linears, and prunes them equally:
/// layers may have the same share. Throws Error unless there is one share for each layer, finite and not negative, and
/// if the bounds do not allow the target.
Allocation AllocateByOutliers(std::span<const LayerShape> layers, std::span<const double> outlier_shares,
                              const OutlierAllocationOptions& options);

}  // namespace twofour::sparse
