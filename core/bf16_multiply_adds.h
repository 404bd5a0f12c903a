#pragma once

#include <cstdint>

namespace twofour {

/// Whether this build and this processor have MultiplyAddPairs, TWOFOUR_MAX_ISA allows it, and it pays (Bf16PairsPay).
bool MultipliesPairs();
/// Adds products of pairs of bf16 to floats (AVX512_BF16), in independent chains, `rounds` times each, and returns how
/// many operations those are. `result` keeps the compiler from removing them. Must only be called if MultipliesPairs().
double MultiplyAddPairs(int64_t rounds, float* result);

}  // namespace twofour
