// Products of bytes with the instructions of AMX-INT8.
#include <hwy/detect_compiler_arch.h>

#if HWY_ARCH_X86_64
#define TWOFOUR_BF16_NATIVE 1
#define TWOFOUR_INT8_SET 3
#include "twofour/sparse/kernels/int8/int8_amx-inl.h"
#endif
