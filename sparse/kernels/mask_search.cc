#include "twofour/sparse/kernels/mask_search.h"

#include <cassert>
#include <cmath>

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
    {"exact_scalar", "any", MaskAlgorithm::kExact, &ScalarSearch<ExactTileMask>},
    {"greedy_scalar", "any", MaskAlgorithm::kGreedy, &ScalarSearch<GreedyTileMask>},
};

}  // namespace

std::span<const MaskSearchKernel> MaskSearchKernels() { return kKernels; }

const MaskSearchKernel& ChooseMaskSearchKernel(MaskAlgorithm algorithm) {
  const MaskSearchKernel* first = nullptr;
  const std::string_view forced = ForcedKernelName();
  for (const MaskSearchKernel& kernel : kKernels) {
    if (kernel.algorithm != algorithm) continue;
    if (kernel.name == forced) return kernel;
    if (first == nullptr) first = &kernel;
  }
  assert(first != nullptr);
  return *first;
}

}  // namespace twofour::sparse
