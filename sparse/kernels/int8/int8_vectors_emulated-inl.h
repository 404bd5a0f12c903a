// The functions of int8_vectors-inl.h lane by lane, for any processor. That file includes this one.
#ifndef TWOFOUR_SPARSE_KERNELS_INT8_INT8_VECTORS_EMULATED_INL_H_
#define TWOFOUR_SPARSE_KERNELS_INT8_INT8_VECTORS_EMULATED_INL_H_

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "twofour/core/half.h"

namespace twofour::sparse::TWOFOUR_INT8 {

struct Ints {
  uint8_t byte[kBytes];
};
struct Floats {
  float lane[kLanes];
};

HWY_INLINE Ints Load(const void* from) {
  Ints x;
  std::memcpy(x.byte, from, kBytes);
  return x;
}
HWY_INLINE void Store(const Ints& x, void* to) { std::memcpy(to, x.byte, kBytes); }
HWY_INLINE void Stream(const Ints& x, void* to) { Store(x, to); }

/// The vector whose integer i is of(i).
template <typename Of>
Ints MakeInts(const Of& of) {
  int32_t lanes[kLanes];
  for (int i = 0; i < kLanes; ++i) lanes[i] = of(i);
  return Load(lanes);
}
HWY_INLINE int32_t Lane(const Ints& x, int i) {
  int32_t lane;
  std::memcpy(&lane, x.byte + 4 * i, sizeof(lane));
  return lane;
}
inline Ints SetInts(int32_t value) {
  return MakeInts([value](int) { return value; });
}
/// Elements of `size` bytes of a and b in turn, of the lower or upper half of each 16 bytes.
inline Ints Interleave(const Ints& a, const Ints& b, int size, bool upper) {
  Ints x;
  for (int i = 0; i < kBytes; ++i) {
    const int element = i % 16 / size;
    const int from = i / 16 * 16 + (upper ? 8 : 0) + element / 2 * size + i % size;
    x.byte[i] = (element % 2 == 0 ? a : b).byte[from];
  }
  return x;
}
inline Ints Lower8(const Ints& a, const Ints& b) { return Interleave(a, b, 1, false); }
inline Ints Upper8(const Ints& a, const Ints& b) { return Interleave(a, b, 1, true); }
inline Ints Lower16(const Ints& a, const Ints& b) { return Interleave(a, b, 2, false); }
inline Ints Upper16(const Ints& a, const Ints& b) { return Interleave(a, b, 2, true); }
inline Ints Lower32(const Ints& a, const Ints& b) { return Interleave(a, b, 4, false); }
inline Ints Upper32(const Ints& a, const Ints& b) { return Interleave(a, b, 4, true); }
inline Ints Lower64(const Ints& a, const Ints& b) { return Interleave(a, b, 8, false); }
inline Ints Upper64(const Ints& a, const Ints& b) { return Interleave(a, b, 8, true); }
inline Ints TransposeBytes(const Ints& x) {
  Ints result;
  for (int i = 0; i < kBytes; ++i) result.byte[i / 16 * 16 + i % 4 * 4 + i % 16 / 4] = x.byte[i];
  return result;
}
/// An integer as one that wraps around, as those of vectors do.
HWY_INLINE uint32_t Wrapping(const Ints& x, int i) { return static_cast<uint32_t>(Lane(x, i)); }
inline Ints AddInts(const Ints& a, const Ints& b) {
  return MakeInts([&](int i) { return static_cast<int32_t>(Wrapping(a, i) + Wrapping(b, i)); });
}
inline Ints SubInts(const Ints& a, const Ints& b) {
  return MakeInts([&](int i) { return static_cast<int32_t>(Wrapping(a, i) - Wrapping(b, i)); });
}
inline Ints MulInts(const Ints& a, const Ints& b) {
  return MakeInts([&](int i) { return static_cast<int32_t>(Wrapping(a, i) * Wrapping(b, i)); });
}

/// The vector whose float i is of(i).
template <typename Of>
Floats MakeFloats(const Of& of) {
  Floats x;
  for (int i = 0; i < kLanes; ++i) x.lane[i] = of(i);
  return x;
}
inline Floats SetFloats(float value) {
  return MakeFloats([value](int) { return value; });
}
template <typename T>
Floats LoadFloats(const T* from) {
  return MakeFloats([from](int i) { return static_cast<float>(from[i]); });
}
inline Floats Mul(const Floats& a, const Floats& b) {
  return MakeFloats([&](int i) { return a.lane[i] * b.lane[i]; });
}
inline Floats Add(const Floats& a, const Floats& b) {
  return MakeFloats([&](int i) { return a.lane[i] + b.lane[i]; });
}
// Where one is a NaN, the second one, as the instructions do.
inline Floats Min(const Floats& a, const Floats& b) {
  return MakeFloats([&](int i) { return a.lane[i] < b.lane[i] ? a.lane[i] : b.lane[i]; });
}
inline Floats Max(const Floats& a, const Floats& b) {
  return MakeFloats([&](int i) { return a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i]; });
}
inline Floats ToFloats(const Ints& x) {
  return MakeFloats([&](int i) { return static_cast<float>(Lane(x, i)); });
}
inline Ints AsInts(const Floats& x) {
  return MakeInts([&](int i) { return std::bit_cast<int32_t>(x.lane[i]); });
}
inline Ints ToNearest(const Floats& x) {
  return MakeInts([&](int i) {
    const float nearest = std::nearbyint(x.lane[i]);
    return std::fabs(nearest) < 0x1p31f ? static_cast<int32_t>(nearest) : INT32_MIN;
  });
}
inline void StoreBytes(const Ints& x, uint8_t* to) {
  for (int i = 0; i < kLanes; ++i) to[i] = static_cast<uint8_t>(std::clamp(Lane(x, i), 0, 255));
}
inline Ints RoundToBf16(const Floats& low, const Floats& high) {
  BFloat16 rounded[2 * kLanes];
  for (int i = 0; i < kLanes; ++i) rounded[i] = BFloat16(low.lane[i]), rounded[kLanes + i] = BFloat16(high.lane[i]);
  return Load(rounded);
}

using Quads = Ints;
inline Quads AsQuads(const Ints& x) { return x; }
using Weights = Ints;
inline Weights SetWeights(uint32_t quad) { return SetInts(static_cast<int32_t>(quad)); }
inline Ints Dot(const Ints& sum, const Quads& x, const Weights& w) {
  return MakeInts([&](int i) {
    int32_t lane = Lane(sum, i);
    for (int j = 0; j < 4; ++j) lane += x.byte[4 * i + j] * static_cast<int8_t>(w.byte[4 * i + j]);
    return lane;
  });
}

inline void Transpose(Ints (&r)[kLanes]) {
  for (int i = 0; i < kLanes; ++i) {
    for (int j = 0; j < i; ++j) std::swap_ranges(r[i].byte + 4 * j, r[i].byte + 4 * j + 4, r[j].byte + 4 * i);
  }
}

}  // namespace twofour::sparse::TWOFOUR_INT8

#endif  // TWOFOUR_SPARSE_KERNELS_INT8_INT8_VECTORS_EMULATED_INL_H_
