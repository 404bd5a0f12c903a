// Products of bf16 with V:N:M weights by tiles, with emulated instructions.
#define TWOFOUR_BF16_NATIVE 0
#include "twofour/sparse/kernels/amx/vnm_amx_kernel-inl.h"
