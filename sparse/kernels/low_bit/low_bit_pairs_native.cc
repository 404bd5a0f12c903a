// Products with weights of few bits, with the instructions of AVX512_BF16 and AVX512_VBMI.
#include <hwy/detect_compiler_arch.h>

#if HWY_ARCH_X86_64
#define TWOFOUR_BF16_NATIVE 1
#include "twofour/sparse/kernels/low_bit/low_bit_pairs-inl.h"
#endif
