// The MLP as one op in bf16, with the instructions of AVX512_BF16.
#include <hwy/detect_compiler_arch.h>

#if HWY_ARCH_X86_64
#define TWOFOUR_BF16_NATIVE 1
#include "twofour/sparse/kernels/fused_mlp/bf16_fused_mlp-inl.h"
#endif
