#include "twofour/core/bf16_multiply_adds.h"

#include <hwy/detect_compiler_arch.h>

#include <cassert>
#include <numeric>

#include "twofour/core/isa.h"

#if HWY_ARCH_X86_64
#define TWOFOUR_BF16_NATIVE 1
#include "twofour/core/kernels/simd/bf16_vectors-inl.h"

TWOFOUR_BF16_BEFORE
namespace twofour::TWOFOUR_BF16 {

/// Sums of a chain wait for each other, some cycles each: see kChains in peak_flops.cc.
inline constexpr int kChains = 16;

double MultiplyAddPairs(int64_t rounds, float* result) {
  // The two products of a pair cancel each other, so each chain stays what it is, whatever the number of rounds.
  const Pairs ones = SetPairs(0x3f803f80), signs = SetPairs(0x3f80bf80);
  Floats chains[kChains];
  TWOFOUR_UNROLL for (int c = 0; c < kChains; ++c) chains[c] = SetFloats(static_cast<float>(c));
  for (int64_t round = 0; round < rounds; ++round) {
    TWOFOUR_UNROLL for (int c = 0; c < kChains; ++c) chains[c] = DotPairs(chains[c], ones, signs);
  }
  Floats sum = ZeroFloats();
  TWOFOUR_UNROLL for (int c = 0; c < kChains; ++c) sum = Add(sum, chains[c]);
  float lanes[kLanes];
  StoreFloats(sum, lanes);
  *result = std::accumulate(lanes, lanes + kLanes, 0.0f);
  constexpr double kOperations = 2 * 2 * kLanes;  // Of one instruction.
  return kOperations * kChains * static_cast<double>(rounds);
}

}  // namespace twofour::TWOFOUR_BF16
TWOFOUR_BF16_AFTER
#endif

namespace twofour {

#if HWY_ARCH_X86_64

bool MultipliesPairs() { return Bf16PairsPay(); }

double MultiplyAddPairs(int64_t rounds, float* result) {
  assert(MultipliesPairs());
  return bf16_native::MultiplyAddPairs(rounds, result);
}

#else

bool MultipliesPairs() { return false; }

double MultiplyAddPairs(int64_t /*rounds*/, float* /*result*/) {
  assert(false);
  return 0;
}

#endif

}  // namespace twofour
