#include "twofour/core/kernels/simd/simd_targets.h"
//
#include "twofour/core/kernels/formats/random_halves.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "twofour/core/kernels/formats/random_halves.cc"
#include <hwy/foreach_target.h>
//
#include <hwy/highway.h>

#include <algorithm>

#include "twofour/core/kernels/simd/simd_table.h"
#include "twofour/core/kernels/simd/unroll.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128

// Philox takes upper halves of products. GCC before 12.3 has a bug in vectorised ones (see simd_targets.h), and vectors
// that are loops would gain nothing.
void RandomHalvesLoop(const RandomKey& key, uint32_t first_block, int64_t blocks, uint16_t* out) {
  for (int64_t i = 0; i < blocks; ++i, out += 8) {
    const auto words = RandomBlock(key, first_block + static_cast<uint32_t>(i));
    for (int w = 0; w < 4; ++w) {
      out[2 * w] = static_cast<uint16_t>(words[w]);
      out[2 * w + 1] = static_cast<uint16_t>(words[w] >> 16);
    }
  }
}

#else

using U64 = hn::ScalableTag<uint64_t>;
using VU64 = hn::Vec<U64>;
constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(U64()));
constexpr uint32_t kRounds = 10;

/// The product of the lower halves of the lanes.
HWY_INLINE VU64 MulLower(VU64 a, VU64 b) {
  const hn::Repartition<uint32_t, U64> words;
  return hn::MulEven(hn::BitCast(words, a), hn::BitCast(words, b));
}

/// The four words of as many counters as a vector has lanes of 64 bits. Each lane holds a word in its lower half. What
/// is in the upper halves does not count.
struct Counters {
  VU64 c0, c1, c2, c3;

  HWY_INLINE void Round(VU64 multiplier_a, VU64 multiplier_b, VU64 key_a, VU64 key_b) {
    const VU64 a = MulLower(multiplier_a, c0), b = MulLower(multiplier_b, c2);
    c0 = hn::Xor(hn::Xor(hn::ShiftRight<32>(b), c1), key_a);
    c2 = hn::Xor(hn::Xor(hn::ShiftRight<32>(a), c3), key_b);
    c1 = b;
    c3 = a;
  }

  HWY_INLINE void Store(uint16_t* out) const {
    const U64 d;
    const VU64 lower = hn::Set(d, 0xFFFFFFFF);
    const VU64 first = hn::Or(hn::And(c0, lower), hn::ShiftLeft<32>(c1));
    const VU64 second = hn::Or(hn::And(c2, lower), hn::ShiftLeft<32>(c3));
    HWY_ALIGN uint64_t pairs[2 * kLanes];
    hn::StoreInterleaved2(first, second, d, pairs);
    std::copy_n(reinterpret_cast<const uint16_t*>(pairs), 8 * kLanes, out);
  }
};

/// Philox4x32 (core/random.cc) for the counters of one key.
class Philox {
 public:
  explicit HWY_INLINE Philox(const RandomKey& key)
      : stream_(hn::Set(U64(), key.stream)),
        step_(hn::Set(U64(), key.step)),
        step_above_(hn::Set(U64(), key.step >> 32)) {
    TWOFOUR_UNROLL for (uint32_t round = 0; round < kRounds; ++round) {
      key_a_[round] = hn::Set(U64(), static_cast<uint32_t>(key.seed) + round * 0x9E3779B9u);
      key_b_[round] = hn::Set(U64(), static_cast<uint32_t>(key.seed >> 32) + round * 0xBB67AE85u);
    }
  }

  /// Writes `vectors` vectors of blocks from `first` on. Several at once take less time, because each round waits for
  /// the one before.
  template <int64_t vectors>
  HWY_INLINE void Blocks(uint64_t first, uint16_t* out) const {
    const VU64 multiplier_a = hn::Set(U64(), 0xD2511F53), multiplier_b = hn::Set(U64(), 0xCD9E8D57);
    Counters counters[vectors];
    TWOFOUR_UNROLL for (int64_t v = 0; v < vectors; ++v) {
      counters[v] = {hn::Iota(U64(), first + static_cast<uint64_t>(v * kLanes)), stream_, step_, step_above_};
    }
    TWOFOUR_UNROLL for (uint32_t round = 0; round < kRounds; ++round) {
      TWOFOUR_UNROLL for (int64_t v = 0; v < vectors; ++v) {
        counters[v].Round(multiplier_a, multiplier_b, key_a_[round], key_b_[round]);
      }
    }
    TWOFOUR_UNROLL for (int64_t v = 0; v < vectors; ++v) counters[v].Store(out + 8 * v * kLanes);
  }

 private:
  VU64 stream_, step_, step_above_;
  VU64 key_a_[kRounds], key_b_[kRounds];
};

void RandomHalvesLoop(const RandomKey& key, uint32_t first_block, int64_t blocks, uint16_t* out) {
  constexpr int64_t kVectors = 4;
  const Philox philox(key);
  const auto index = [=](int64_t block) { return uint64_t{first_block} + static_cast<uint64_t>(block); };
  int64_t i = 0;
  for (; i + kVectors * kLanes <= blocks; i += kVectors * kLanes) philox.Blocks<kVectors>(index(i), out + 8 * i);
  for (; i + kLanes <= blocks; i += kLanes) philox.Blocks<1>(index(i), out + 8 * i);
  if (i == blocks) return;
  uint16_t last[8 * kLanes];
  philox.Blocks<1>(index(i), last);
  std::copy_n(last, 8 * (blocks - i), out + 8 * i);
}

#endif

}  // namespace twofour::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace twofour::kernels {

HWY_EXPORT(RandomHalvesLoop);

namespace loops {

void RandomHalves(const RandomKey& key, uint32_t first_block, int64_t blocks, uint16_t* out) {
  TWOFOUR_DYNAMIC_DISPATCH(RandomHalvesLoop)(key, first_block, blocks, out);
}

}  // namespace loops
}  // namespace twofour::kernels
#endif  // HWY_ONCE
