// Products of 8 bits: see int8_vectors-inl.h.
#include <hwy/detect_compiler_arch.h>

#if HWY_ARCH_X86_64
#define TWOFOUR_INT8_SET 2
#include "twofour/sparse/kernels/int8/int8_kernels-inl.h"
#endif
