// The MLP as one op in bf16, with emulated instructions.
#define TWOFOUR_BF16_NATIVE 0
#include "twofour/sparse/kernels/fused_mlp/bf16_fused_mlp-inl.h"
