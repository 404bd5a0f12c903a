#include "twofour/sparse/kernels/mask_search.h"

#include <fmt/format.h>

#include <cassert>
#include <cmath>

#include "twofour/core/error.h"
#include "twofour/sparse/kernels/forced_kernel.h"

namespace twofour::sparse {
namespace {

template <TileMask (*kTileSearch)(const TileMagnitudes&)>
void ScalarSearch(const float* weight, int64_t cols, TileMask* tiles) {
  for (int64_t col = 0; col < cols; col += kTileSize) {
    TileMagnitudes magnitudes;
    for (int entry = 0; entry < kTileSize * kTileSize; ++entry) {
      magnitudes[entry] = std::fabs(weight[entry / kTileSize * cols + col + entry % kTileSize]);
    }
    tiles[col / kTileSize] = kTileSearch(magnitudes);
  }
}

constexpr MaskSearchKernel kKernels[] = {
    {"exact_scalar", kAnyTarget, "one tile at a time", MaskAlgorithm::kExact, &ScalarSearch<ExactTileMask>},
    {"greedy_scalar", kAnyTarget, "one tile at a time", MaskAlgorithm::kGreedy, &ScalarSearch<GreedyTileMask>},
};

}  // namespace

std::span<const MaskSearchKernel> MaskSearchKernels() { return kKernels; }

const MaskSearchKernel& ChooseMaskSearchKernel(MaskAlgorithm algorithm) {
  const bool any_forced = !ForcedKernels().empty();
  const MaskSearchKernel* first = nullptr;
  for (const MaskSearchKernel& kernel : MaskSearchKernels()) {
    if (kernel.algorithm != algorithm) continue;
    const std::string why_not = WhyNotHere(kernel.target);
    if (any_forced && IsForced(kernel.name)) {
      if (!why_not.empty()) throw Error(fmt::format("TWOFOUR_KERNEL={}: {}", kernel.name, why_not));
      return kernel;
    }
    if (first == nullptr && why_not.empty()) first = &kernel;
  }
  assert(first != nullptr);
  return *first;
}

}  // namespace twofour::sparse
