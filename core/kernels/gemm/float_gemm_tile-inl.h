// Tiles of C, which are computed in registers. A is packed, and B may be packed. Compiled once for each instruction set
// (see hwy/foreach_target.h).
#if defined(TWOFOUR_CORE_KERNELS_GEMM_FLOAT_GEMM_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TWOFOUR_CORE_KERNELS_GEMM_FLOAT_GEMM_TILE_INL_H_
#undef TWOFOUR_CORE_KERNELS_GEMM_FLOAT_GEMM_TILE_INL_H_
#else
#define TWOFOUR_CORE_KERNELS_GEMM_FLOAT_GEMM_TILE_INL_H_
#endif

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "twofour/core/ceil_div.h"
#include "twofour/core/kernels/simd/unroll.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::kernels::HWY_NAMESPACE {
namespace float_gemm {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;
inline constexpr D d;
inline constexpr int kLanes = hn::MaxLanes(D());

// A tile of C is kTileRows x 2 vectors: with two vectors of B and one element of A it fills the registers.
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
inline constexpr int kTileRows = 14;
#else
inline constexpr int kTileRows = 6;
#endif
inline constexpr int64_t kPanel = 2 * kLanes;
/// Vectors in a cache line.
inline constexpr int kVectorsOfALine = std::max(1, 64 / (kLanes * static_cast<int>(sizeof(float))));

/// Depth of the packed blocks: a panel of B stays in the first-level cache.
inline constexpr int64_t kDepth = 256;
/// The same if there are many rows. With AVX-512, a tile takes so little time that it is added to C less often; panels
/// of B then come from the second-level cache.
inline constexpr int64_t kLongDepth = HWY_TARGET == HWY_AVX3 ? 1024 : kDepth;
/// Floats from one row of packed A to the next. They are more than the depth, so that the rows spread over the sets of
/// the cache.
inline constexpr int64_t kPitch = kLongDepth + 16;

/// A thread should have at least this many multiply-adds to do.
inline constexpr int64_t kLeastWork = 64 * 64 * 64;

/// Divides [0, count) into as few parts of at most `most` as possible, as equal as possible, and calls f(begin, end)
/// for each.
template <typename F>
HWY_INLINE void ForEachPart(int64_t count, int64_t most, F f) {
  const int64_t parts = CeilDiv(count, most);
  for (int64_t part = 0; part < parts; ++part) f(count * part / parts, count * (part + 1) / parts);
}

/// C = A B, or C += A B, for kRows rows and kVectors vectors of columns. A is packed as [kRows][kPitch]. With kPacks, B
/// is also packed for the tiles that follow: the stores are hidden behind the arithmetic.
template <int kRows, int kVectors, bool kPacks = false>
TWOFOUR_UNROLL_WITH_SANITIZERS void Tile(int64_t depth, const float* HWY_RESTRICT a, const float* HWY_RESTRICT b,
                                         int64_t ldb, float* HWY_RESTRICT c, int64_t ldc, bool accumulate,
                                         int64_t ahead, float* HWY_RESTRICT packed) {
  V sum[kRows][kVectors];
  TWOFOUR_UNROLL for (int r = 0; r < kRows; ++r) {
    if (accumulate) hwy::Prefetch(c + r * ldc);
    TWOFOUR_UNROLL for (int v = 0; v < kVectors; ++v) sum[r][v] = hn::Zero(d);
  }
  TWOFOUR_UNROLL_BY_4 for (int64_t l = 0; l < depth; ++l) {
    V x[kVectors];
    TWOFOUR_UNROLL for (int v = 0; v < kVectors; v += kVectorsOfALine) hwy::Prefetch(b + ahead + v * kLanes);
    TWOFOUR_UNROLL for (int v = 0; v < kVectors; ++v) x[v] = hn::LoadU(d, b + v * kLanes);
    b += ldb;
    if constexpr (kPacks) {
      TWOFOUR_UNROLL for (int v = 0; v < kVectors; ++v) hn::StoreU(x[v], d, packed + l * kPanel + v * kLanes);
    }
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

using TileFunction = void (*)(int64_t, const float*, const float*, int64_t, float*, int64_t, bool, int64_t, float*);

template <int kVectors, bool kPacks = false, int... kRows>
constexpr std::array<TileFunction, sizeof...(kRows)> TilesOf(std::integer_sequence<int, kRows...>) {
  return {Tile<kRows + 1, kVectors, kPacks>...};
}

/// kTiles[vectors - 1][rows - 1].
inline constexpr std::array<TileFunction, kTileRows> kTiles[] = {
    TilesOf<1>(std::make_integer_sequence<int, kTileRows>()), TilesOf<2>(std::make_integer_sequence<int, kTileRows>())};
inline constexpr std::array<TileFunction, kTileRows> kPackingTiles =
    TilesOf<2, true>(std::make_integer_sequence<int, kTileRows>());

/// A tile whose last vector may reach beyond the matrix. Such a tile is computed in an array of its own and copied to
/// C.
inline void RunTile(int64_t rows, int64_t width, int64_t depth, const float* a, const float* b, int64_t ldb, float* c,
                    int64_t ldc, bool accumulate, int64_t ahead) {
  const int64_t vectors = CeilDiv(width, kLanes);
  const TileFunction tile = kTiles[vectors - 1][rows - 1];
  if (width == vectors * kLanes) return tile(depth, a, b, ldb, c, ldc, accumulate, ahead, nullptr);
  float beside[kTileRows * kPanel] = {};
  for (int64_t r = 0; r < rows && accumulate; ++r) std::copy_n(c + r * ldc, width, beside + r * kPanel);
  tile(depth, a, b, ldb, beside, kPanel, accumulate, ahead, nullptr);
  for (int64_t r = 0; r < rows; ++r) std::copy_n(beside + r * kPanel, width, c + r * ldc);
}

}  // namespace float_gemm
}  // namespace twofour::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // TWOFOUR_CORE_KERNELS_GEMM_FLOAT_GEMM_TILE_INL_H_
