#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace twofour {

/// An instruction set that SIMD kernels are compiled for, by Highway's constant.
using SimdTarget = int64_t;

/// "avx512", "avx2", "sse4", "neon", "portable" (what any processor runs, one number at a time where Highway has no
/// better).
std::string_view NameOfSimdTarget(SimdTarget target);

/// The instruction sets that this build, this processor and TWOFOUR_MAX_ISA allow, fastest first; never empty.
/// TWOFOUR_MAX_ISA=avx2 leaves out what is faster than avx2, in every kernel of twofour. Throws Error for a value that
/// is no name, listing those that are.
const std::vector<SimdTarget>& AllowedSimdTargets();
bool IsAllowed(SimdTarget target);

/// Name of the first of AllowedSimdTargets().
std::string_view InstructionSetName();

/// Makes TWOFOUR_MAX_ISA hold for Highway's own dispatch; costs nothing after the first call.
void ApplyInstructionSetLimit();

}  // namespace twofour
