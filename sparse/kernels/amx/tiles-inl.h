// The tiles of AMX, each instruction behind a function of one line. Compiled twice, like bf16_vectors-inl.h: the
// emulation gives the bits of the instructions on any processor. The instructions are written as assembly, because
// GCC's functions for them take no tile numbers that are template arguments, and do not say that loads read memory.
#ifndef TWOFOUR_SPARSE_KERNELS_AMX_TILES_INL_H_
#define TWOFOUR_SPARSE_KERNELS_AMX_TILES_INL_H_

#include <cstdint>
#include <cstring>

#include "twofour/core/kernels/simd/bf16_vectors-inl.h"

TWOFOUR_BF16_BEFORE
namespace twofour::sparse::TWOFOUR_BF16 {

using namespace twofour::TWOFOUR_BF16;

/// All tiles have as many rows of as many bytes.
inline constexpr int kTileRows = 16;
inline constexpr int kTileRowBytes = 64;
/// bf16 of a tile: 16 rows of 32.
inline constexpr int64_t kTileElements = int64_t{kTileRows} * kTileRowBytes / 2;

#if TWOFOUR_BF16_NATIVE

/// The eight tiles of the calling thread, which must not run code that may use tiles while this lives. That is all code
/// that may call the dense library.
class Tiles {
 public:
  Tiles() {
    struct {
      uint8_t palette = 1, start_row = 0, reserved[14] = {};
      uint16_t row_bytes[16] = {};
      uint8_t rows[16] = {};
    } config;
    for (int tile = 0; tile < 8; ++tile) {
      config.row_bytes[tile] = kTileRowBytes;
      config.rows[tile] = kTileRows;
    }
    asm volatile("ldtilecfg (%0)" ::"r"(&config) : "memory");
  }
  ~Tiles() { asm volatile("tilerelease" ::: "memory"); }
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;

  template <int tile>
  HWY_INLINE void Zero() {
    asm volatile("tilezero %%tmm%c0" ::"i"(tile));
  }
  /// Rows are `pitch` bytes apart in memory.
  template <int tile>
  HWY_INLINE void Load(const void* from, int64_t pitch) {
    asm volatile("tileloadd (%1,%2,1), %%tmm%c0" ::"i"(tile), "r"(from), "r"(pitch) : "memory");
  }
  template <int tile>
  HWY_INLINE void Store(void* to, int64_t pitch) {
    asm volatile("tilestored %%tmm%c0, (%1,%2,1)" ::"i"(tile), "r"(to), "r"(pitch) : "memory");
  }
  /// c [16][16 floats] += a [16][16 pairs] b [16 pairs][16][2]: products of the first elements of pairs and those of
  /// the second are added up apart, by fused multiply-adds. Denormal numbers count as zero.
  template <int c, int a, int b>
  HWY_INLINE void Multiply() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(c), "i"(a), "i"(b));
  }
  /// c [16][16 integers] += a [16][16 quads] b [16 quads][16][4]: unsigned bytes times signed ones, exactly. AMX-INT8.
  template <int c, int a, int b>
  HWY_INLINE void MultiplyBytes() {
    asm volatile("tdpbusd %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(c), "i"(a), "i"(b));
  }
};

#else

class Tiles {
 public:
  template <int tile>
  void Zero() {
    std::memset(tiles_[tile], 0, sizeof(tiles_[tile]));
  }
  template <int tile>
  void Load(const void* from, int64_t pitch) {
    for (int row = 0; row < kTileRows; ++row) {
      std::memcpy(tiles_[tile] + row * kTileRowBytes, static_cast<const char*>(from) + row * pitch, kTileRowBytes);
    }
  }
  template <int tile>
  void Store(void* to, int64_t pitch) {
    for (int row = 0; row < kTileRows; ++row) {
      std::memcpy(static_cast<char*>(to) + row * pitch, tiles_[tile] + row * kTileRowBytes, kTileRowBytes);
    }
  }
  template <int c, int a, int b>
  void Multiply() {
    float left[kTileElements], right[kTileElements], to[kTileRows][kLanes];
    Widen(tiles_[a], left);
    Widen(tiles_[b], right);
    std::memcpy(to, tiles_[c], sizeof(to));
    for (int row = 0; row < kTileRows; ++row) {
      float sums[2 * kLanes] = {};
      for (int pair = 0; pair < kLanes; ++pair) {
        const float* const with = left + row * 2 * kLanes + 2 * pair;
        for (int i = 0; i < 2 * kLanes; ++i) sums[i] = MulAdd(with[i % 2], right[pair * 2 * kLanes + i], sums[i]);
      }
      for (int i = 0; i < kLanes; ++i) {
        const float sum = WithoutDenormal(sums[2 * i] + sums[2 * i + 1]);
        to[row][i] = WithoutDenormal(WithoutDenormal(to[row][i]) + sum);
      }
    }
    std::memcpy(tiles_[c], to, sizeof(to));
  }
  template <int c, int a, int b>
  void MultiplyBytes() {
    int32_t to[kTileRows][kLanes];
    std::memcpy(to, tiles_[c], sizeof(to));
    for (int row = 0; row < kTileRows; ++row) {
      for (int k = 0; k < kTileRowBytes; ++k) {
        const int left = static_cast<uint8_t>(tiles_[a][row * kTileRowBytes + k]);
        for (int i = 0; i < kLanes; ++i) {
          to[row][i] += left * static_cast<int8_t>(tiles_[b][k / 4 * kTileRowBytes + i * 4 + k % 4]);
        }
      }
    }
    std::memcpy(tiles_[c], to, sizeof(to));
  }

 private:
  static void Widen(const char* tile, float* to) {
    for (int64_t i = 0; i < kTileElements; ++i) {
      uint16_t bits;
      std::memcpy(&bits, tile + i * 2, sizeof(bits));
      to[i] = AsOperand(bits);
    }
  }

  char tiles_[8][kTileRows * kTileRowBytes] = {};
};

#endif

}  // namespace twofour::sparse::TWOFOUR_BF16
TWOFOUR_BF16_AFTER

#endif  // TWOFOUR_SPARSE_KERNELS_AMX_TILES_INL_H_
