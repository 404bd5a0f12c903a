#include "twofour/sparse/kernels/search/mask_search.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/never_destroyed.h"
#include "twofour/sparse/kernels/linear/forced_kernel.h"
#include "twofour/sparse/kernels/search/simd_searches.h"

namespace twofour::sparse {
namespace {

template <TileMask (*kTileSearch)(const TileMagnitudes&)>
bool SearchTiles(const float* weight, int64_t stride, int64_t count, TileMask* tiles) {
  bool all_finite = true;
  for (int64_t tile = 0; tile < count; ++tile) {
    TileMagnitudes magnitudes;
    bool finite = true;
    for (int entry = 0; entry < kTileSize * kTileSize; ++entry) {
      magnitudes[entry] = std::fabs(weight[entry / kTileSize * stride + tile * kTileSize + entry % kTileSize]);
      finite = finite && std::isfinite(magnitudes[entry]);
    }
    tiles[tile] = finite ? kTileSearch(magnitudes) : TileMask{0};  // Sorting needs an order, which NaNs do not have.
    all_finite = all_finite && finite;
  }
  return all_finite;
}

template <TileMask (*kTileSearch)(const TileMagnitudes&)>
bool ScalarSearch(const float* weight, int64_t cols, TileMask* tiles) {
  return SearchTiles<kTileSearch>(weight, cols, cols / kTileSize, tiles);
}

}  // namespace

std::span<const MaskSearchKernel> MaskSearchKernels() {
  static const NeverDestroyed<std::vector<MaskSearchKernel>> table([] {
    std::vector<MaskSearchKernel> kernels = ExactSearches();
    kernels.push_back(
        {"exact_scalar", Isa::kAny, "one tile at a time", MaskMethod::kExact, &ScalarSearch<ExactTileMask>});
    for (MaskSearchKernel& kernel : GreedySearches()) kernels.push_back(std::move(kernel));
    kernels.push_back(
        {"greedy_scalar", Isa::kAny, "one tile at a time", MaskMethod::kGreedy, &ScalarSearch<GreedyTileMask>});
    return kernels;
  }());
  return *table;
}

MaskSearchKernel SimdSearch(MaskMethod method, Isa isa, int64_t tiles_at_a_time,
                            bool (*search)(const float* weight, int64_t cols, TileMask* tiles)) {
  return {fmt::format("{}_{}", NameOf(method), NameOf(isa)), isa, fmt::format("{} tiles at a time", tiles_at_a_time),
          method, search};
}

bool ExactScalarSearch(const float* weight, int64_t stride, int64_t count, TileMask* tiles) {
  return SearchTiles<ExactTileMask>(weight, stride, count, tiles);
}

const MaskSearchKernel& ChooseMaskSearchKernel(MaskMethod method) {
  const bool any_forced = !ForcedKernels().empty();
  const MaskSearchKernel* first = nullptr;
  for (const MaskSearchKernel& kernel : MaskSearchKernels()) {
    if (kernel.method != method) continue;
    const std::string why_not = WhyNotHere(kernel.isa);
    if (any_forced && IsForced(kernel.name)) {
      if (!why_not.empty()) throw Error(fmt::format("TWOFOUR_KERNEL={}: {}", kernel.name, why_not));
      return kernel;
    }
    if (first == nullptr && why_not.empty()) first = &kernel;
  }
  if (first == nullptr) throw Error(fmt::format("no kernel searches {} masks", NameOf(method)));
  return *first;
}

}  // namespace twofour::sparse
