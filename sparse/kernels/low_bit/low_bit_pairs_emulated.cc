// Products with weights of few bits, with emulated instructions.
#define TWOFOUR_BF16_NATIVE 0
#include "twofour/core/kernels/simd/unroll.h"
// Unrolled, the emulation takes minutes to compile.
#undef TWOFOUR_UNROLL
#define TWOFOUR_UNROLL
#include "twofour/sparse/kernels/low_bit/low_bit_pairs-inl.h"
