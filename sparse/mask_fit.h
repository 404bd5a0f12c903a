#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "twofour/sparse/mask.h"
#include "twofour/sparse/mask_plan.h"

namespace twofour::sparse {

/// Says in words why a mask that was found elsewhere cannot be used at `step` of a plan; nothing if it can. In every
/// row and column of a pruned tile (for a pattern along rows: in every group), the mask must keep at most as many
/// entries as the plan's pattern. In all pruned tiles together it must keep at least 7/8 of the pattern's number,
/// because greedy masks may keep that few. Tiles that are kept whole are allowed if the plan does not prune all tiles.
/// No mask fits a step at which the plan prunes none.
std::optional<std::string> WhyUnfit(const Mask& mask, const MaskPlan& plan, int64_t step);

}  // namespace twofour::sparse
