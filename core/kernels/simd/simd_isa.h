#pragma once

// Translates between Highway's constants for instruction sets and ours. Include simd_targets.h first.

#include <hwy/highway.h>

#include <cstdint>

#include "twofour/core/isa.h"

namespace twofour {

/// Highway's constant for an instruction set, or 0 if Highway does not know the set. A smaller constant means a better
/// set.
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
    case Isa::kAmxBf16:
    case Isa::kAvx512Bf16:
    case Isa::kAvx512Vnni:
    case Isa::kAvxVnni:
    case Isa::kAny:
      break;
  }
  return 0;
}

/// The instruction set of one of Highway's constants, for example IsaOf(HWY_TARGET). A set that the list below lacks
/// counts as kPortable.
constexpr Isa IsaOf(int64_t simd_target) {
  for (const Isa isa : {Isa::kAvx512, Isa::kAvx2, Isa::kSse4, Isa::kNeon}) {
    if (SimdTargetOf(isa) == simd_target) return isa;
  }
  return Isa::kPortable;
}

}  // namespace twofour
