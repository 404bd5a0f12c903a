// The 2:4 product of bf16 with emulated instructions.
#define TWOFOUR_BF16_NATIVE 0
#include "twofour/sparse/kernels/pair_bucket/bf16_pair_bucket_kernel-inl.h"
