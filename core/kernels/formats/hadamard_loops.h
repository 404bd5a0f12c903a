#pragma once

#include <cstdint>

namespace twofour::kernels::loops {

inline constexpr int64_t kHadamardBlock = 16;

// The transforms of core/hadamard.h on blocks of 16 floats that lie one after another, on the calling thread. Sums are
// taken in four rounds of pairs, so all instruction sets give the same bits. `out` may be x.

void Hadamard(int64_t blocks, const float* x, uint16_t signs, float* out);
void InverseHadamard(int64_t blocks, const float* x, uint16_t signs, float* out);

}  // namespace twofour::kernels::loops
