// Products of bf16 with V:N:M weights, with the instructions of AMX and AVX512_BF16.
#include <hwy/detect_compiler_arch.h>

#if HWY_ARCH_X86_64
#define TWOFOUR_BF16_NATIVE 1
#include "twofour/sparse/kernels/amx/vnm_amx_kernel-inl.h"
#endif
