// The product of bf16 with emulated instructions.
#define TWOFOUR_BF16_NATIVE 0
#include "twofour/core/kernels/gemm/bf16_gemm-inl.h"
