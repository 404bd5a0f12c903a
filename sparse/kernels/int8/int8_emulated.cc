// Products of 8 bits: see int8_vectors-inl.h.
#define TWOFOUR_INT8_SET 0
#include "twofour/sparse/kernels/int8/int8_kernels-inl.h"
