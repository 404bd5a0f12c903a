// The functions of bf16_vectors-inl.h with the instructions of AVX512_BF16.
#include <hwy/detect_compiler_arch.h>

#if HWY_ARCH_X86_64
#define TWOFOUR_BF16_NATIVE 1
#include "tests/support/bf16_wrappers-inl.h"
#endif
