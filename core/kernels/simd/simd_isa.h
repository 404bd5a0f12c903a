#pragma once

// Highway's constants for instruction sets and ours. To be included behind simd_targets.h.

#include <hwy/highway.h>

#include <cstdint>

#include "twofour/core/isa.h"

namespace twofour {

/// The constant that Highway compiles for, or 0 where it does not know the set. A smaller one is a better set.
constexpr int64_t SimdTargetOf(Isa isa) {
  switch (isa) {
    case Isa::kAvx512:
      return HWY_AVX3;
    case Isa::kAvx2:
      return HWY_AVX2;
    case Isa::kSse4:
      return HWY_SSE4;
    case Isa::kNeon:
      return HWY_NEON;
    case Isa::kPortable:
      return HWY_TARGETS & (HWY_EMU128 | HWY_SCALAR);
    case Isa::kAny:
      break;
  }
  return 0;
}

/// The set of one of Highway's constants: IsaOf(HWY_TARGET).
constexpr Isa IsaOf(int64_t simd_target) {
  for (const Isa isa : {Isa::kAvx512, Isa::kAvx2, Isa::kSse4, Isa::kNeon}) {
    if (SimdTargetOf(isa) == simd_target) return isa;
  }
  return Isa::kPortable;
}

}  // namespace twofour
