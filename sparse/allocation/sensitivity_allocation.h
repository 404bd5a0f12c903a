#pragma once

#include <span>

#include "twofour/sparse/allocation/allocation.h"
#include "twofour/sparse/allocation/sensitivity_curve.h"

namespace twofour::sparse {

/// Chooses sparsities with the smallest sum of losses, as each layer's curve says. Steps are taken in the order of what
/// they cost per entry, on the lower convex hull of each curve, until the target is met; a step that is too large for
/// what is left makes way for smaller ones. If all steps are equally large, as those of unstructured masks are, and the
/// curves are convex, no other choice that drops as much costs less. Otherwise one layer may stand between two corners
/// of its hull, where its curve is above, and the last steps may not be the cheapest.
///
/// A layer is never sparser than the last point of its curve, but for a part of a step, as beyond that nothing is
/// known. Throws Error unless there is one curve for each layer with points as CheckCurve says, and if min, max and
/// these last points do not allow the target.
Allocation AllocateBySensitivity(std::span<const LayerShape> layers, std::span<const SensitivityCurve> curves,
                                 const AllocationOptions& options);

}  // namespace twofour::sparse
