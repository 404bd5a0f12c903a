#pragma once

// The kernels that mask_search.cc lists: for each SIMD search one for each instruction set, fastest first.
#include <vector>

#include "twofour/sparse/kernels/search/mask_search.h"

namespace twofour::sparse {

std::vector<MaskSearchKernel> ExactSearches();
std::vector<MaskSearchKernel> GreedySearches();

/// The scalar search, like MaskSearchKernel::search, of `count` tiles whose four rows are `stride` apart. It is for
/// weights that are not finite, or so large that sums of them overflow.
bool ExactScalarSearch(const float* weight, int64_t stride, int64_t count, TileMask* tiles);

/// A kernel that is named for its method and instruction set.
MaskSearchKernel SimdSearch(MaskMethod method, Isa isa, int64_t tiles_at_a_time,
                            bool (*search)(const float* weight, int64_t cols, TileMask* tiles));

}  // namespace twofour::sparse
