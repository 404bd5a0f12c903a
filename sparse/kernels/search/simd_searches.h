#pragma once

// What mask_search.cc lists: the kernels of each SIMD search, one for each instruction set, fastest first.
#include <vector>

#include "twofour/sparse/kernels/search/mask_search.h"

namespace twofour::sparse {

std::vector<MaskSearchKernel> ExactSearches();
std::vector<MaskSearchKernel> GreedySearches();

/// The scalar search of `count` tiles, whose four rows are `stride` apart, as MaskSearchKernel::search: for weights so
/// large that sums of them overflow, or that are not finite.
bool ExactScalarSearch(const float* weight, int64_t stride, int64_t count, TileMask* tiles);

/// A kernel named for its method and instruction set.
MaskSearchKernel SimdSearch(MaskMethod method, Isa isa, int64_t tiles_at_a_time,
                            bool (*search)(const float* weight, int64_t cols, TileMask* tiles));

}  // namespace twofour::sparse
