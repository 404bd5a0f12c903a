// Products of bytes with emulated tiles.
#define TWOFOUR_BF16_NATIVE 0
#define TWOFOUR_INT8_SET 0
#include "twofour/sparse/kernels/int8/int8_amx-inl.h"
