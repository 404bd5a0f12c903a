#pragma once

#include <span>

#include "twofour/sparse/allocation/allocation.h"

namespace twofour::sparse {

/// All layers as sparse as the target, to a step. An n:m pattern whose sparsity is the target goes to all of them as it
/// is: then shorter groups at an edge, which drop less, are not made up for. For a target between two patterns n:m,
/// some layers, spread over all of them, get the sparser one. Throws Error if min and max do not allow the target.
Allocation AllocateUniformly(std::span<const LayerShape> layers, const AllocationOptions& options);

}  // namespace twofour::sparse
