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
/// Then nothing is known of how much is kept in the others if groups along rows reach into several tiles. No mask fits
/// a step at which the plan prunes none.
std::optional<std::string> WhyUnfit(const Mask& mask, const MaskPlan& plan, int64_t step);

/// Says in words why a mask keeps more than the plan's masks do, whatever the step; nothing if it does not. It may keep
/// as little as it wants: a mask that was made from a pruned weight does not know of entries that were kept and happen
/// to be zero.
std::optional<std::string> WhyKeepsTooMuch(const Mask& mask, const MaskPlan& plan);
/// The same for the masks of one step.
std::optional<std::string> WhyKeepsTooMuchAt(const Mask& mask, const MaskPlan& plan, int64_t step);

}  // namespace twofour::sparse
