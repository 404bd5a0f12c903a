#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "twofour/sparse/mask.h"
#include "twofour/sparse/mask_plan.h"

namespace twofour::sparse {

/// Why a mask that was found elsewhere cannot be in force at `step` of a plan, in words; nothing where it can. It must
/// keep at most as many entries as the plan's pattern does in every row and column of a tile (along rows alone: in
/// every group), and altogether at least 7/8 of them, which is what greedy masks keep at least. Tiles that are kept
/// whole are fine where the plan does not prune them all, and at a step at which it prunes none no mask fits.
std::optional<std::string> WhyUnfit(const Mask& mask, const MaskPlan& plan, int64_t step);

}  // namespace twofour::sparse
