// Tiles of a product, like float_gemm's, for operands that are made from memory a block at a time. While one block is
// multiplied, the memory that the next one is made from is fetched into the caches. Compiled once for each instruction
// set (see hwy/foreach_target.h).
#if defined(TWOFOUR_SPARSE_KERNELS_SEARCH_FETCHING_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TWOFOUR_SPARSE_KERNELS_SEARCH_FETCHING_TILE_INL_H_
#undef TWOFOUR_SPARSE_KERNELS_SEARCH_FETCHING_TILE_INL_H_
#else
#define TWOFOUR_SPARSE_KERNELS_SEARCH_FETCHING_TILE_INL_H_
#endif

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <array>
#include <cstdint>
#include <utility>

#include "twofour/core/kernels/gemm/float_gemm_tile-inl.h"
#include "twofour/core/kernels/simd/unroll.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::sparse::HWY_NAMESPACE {
namespace fetching_tile {

namespace hn = hwy::HWY_NAMESPACE;
using kernels::HWY_NAMESPACE::float_gemm::d;
using kernels::HWY_NAMESPACE::float_gemm::kLanes;
using kernels::HWY_NAMESPACE::float_gemm::kPanel;
using kernels::HWY_NAMESPACE::float_gemm::kPitch;
using kernels::HWY_NAMESPACE::float_gemm::kTileRows;
using kernels::HWY_NAMESPACE::float_gemm::V;

inline constexpr int64_t kLine = 16;  // Floats of a cache line.

/// Fetches a block of `rows` rows of kCols floats, which are `stride` apart: one cache line at each step of a tile.
template <int64_t kCols>
struct FetchRows {
  static constexpr int64_t kSteps = kCols / kLine;
  const float* next;
  int64_t stride, rows;

  HWY_INLINE void operator()(int64_t step) const {
    const int64_t row = step / kSteps;
    if (row < rows) hwy::Prefetch(next + row * stride + step % kSteps * kLine);
  }
};

/// Fetches a panel of columns: one row at each step.
struct FetchPanel {
  const float* next;
  int64_t stride;

  HWY_INLINE void operator()(int64_t step) const {
    for (int64_t col = 0; col < kPanel; col += kLine) hwy::Prefetch(next + step * stride + col);
  }
};

/// C = A B, or C += A B, for kRows rows of A ([kRows][kPitch]) and kVectors vectors of a panel of B ([depth][kPanel]).
/// Calls fetch(l) at each step l.
template <int kRows, int kVectors, class Fetch>
void Tile(int64_t depth, const float* HWY_RESTRICT a, const float* HWY_RESTRICT b, float* HWY_RESTRICT c, int64_t ldc,
          bool accumulate, const Fetch& fetch) {
  V sum[kRows][kVectors];
  TWOFOUR_UNROLL for (int r = 0; r < kRows; ++r) {
    TWOFOUR_UNROLL for (int v = 0; v < kVectors; ++v) sum[r][v] = hn::Zero(d);
  }
  TWOFOUR_UNROLL_BY_4 for (int64_t l = 0; l < depth; ++l) {
    fetch(l);
    V x[kVectors];
    TWOFOUR_UNROLL for (int v = 0; v < kVectors; ++v) x[v] = hn::LoadU(d, b + l * kPanel + v * kLanes);
    TWOFOUR_UNROLL for (int r = 0; r < kRows; ++r) {
      const V w = hn::Set(d, a[r * kPitch + l]);
      TWOFOUR_UNROLL for (int v = 0; v < kVectors; ++v) sum[r][v] = hn::MulAdd(w, x[v], sum[r][v]);
    }
  }
  TWOFOUR_UNROLL for (int r = 0; r < kRows; ++r) {
    TWOFOUR_UNROLL for (int v = 0; v < kVectors; ++v) {
      float* const at = c + r * ldc + v * kLanes;
      hn::StoreU(accumulate ? hn::Add(hn::LoadU(d, at), sum[r][v]) : sum[r][v], d, at);
    }
  }
}

template <class Fetch>
using TileFunction = void (*)(int64_t, const float*, const float*, float*, int64_t, bool, const Fetch&);

template <int kVectors, class Fetch, int... kRows>
constexpr std::array<TileFunction<Fetch>, sizeof...(kRows)> TilesOf(std::integer_sequence<int, kRows...>) {
  return {Tile<kRows + 1, kVectors, Fetch>...};
}

/// For 1 to kTileRows rows and 1 or 2 vectors.
template <class Fetch>
HWY_INLINE void RunTile(int64_t rows, int64_t vectors, int64_t depth, const float* a, const float* b, float* c,
                        int64_t ldc, bool accumulate, const Fetch& fetch) {
  static constexpr std::array<TileFunction<Fetch>, kTileRows> kTiles[] = {
      TilesOf<1, Fetch>(std::make_integer_sequence<int, kTileRows>()),
      TilesOf<2, Fetch>(std::make_integer_sequence<int, kTileRows>())};
  kTiles[vectors - 1][rows - 1](depth, a, b, c, ldc, accumulate, fetch);
}

}  // namespace fetching_tile
}  // namespace twofour::sparse::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // TWOFOUR_SPARSE_KERNELS_SEARCH_FETCHING_TILE_INL_H_
