// Products of bf16 with V:N:M weights, with emulated instructions.
#define TWOFOUR_BF16_NATIVE 0
#include "twofour/sparse/kernels/pair_bucket/bf16_vnm_kernel-inl.h"
