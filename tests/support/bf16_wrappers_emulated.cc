// The functions of bf16_vectors-inl.h with emulated instructions.
#define TWOFOUR_BF16_NATIVE 0
#include "tests/support/bf16_wrappers-inl.h"
