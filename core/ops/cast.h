#pragma once

#include "twofour/core/tensor.h"

namespace twofour {
inline namespace ops {

/// x as another dtype; x itself where it has that dtype. The rules are those of PyTorch's Tensor.to() on a CPU. Where
/// PyTorch leaves the result open, out of range of an integer, they are ours:
///
/// | from | to | result |
/// | --- | --- | --- |
/// | any | bool | false for 0 and -0, true for all others, NaN included |
/// | bool | any | 0 or 1 |
/// | integer | integer | the value modulo 2^bits, in the range of the result |
/// | floating | integer | without its fraction; out of range, the nearest integer of that type; 0 for NaN |
/// | integer or floating | floating | the nearest value; of two, the one whose last bit is 0 |
///
/// Numbers that are too large for a floating dtype become infinities, and NaNs in f8_e4m3, which has no infinity.
/// Unlike Quantize (quantize.h), a cast neither scales nor saturates. A value that becomes f16, bf16, f8_e4m3 or
/// f8_e5m2 is rounded to f32 first, as in PyTorch. A NaN stays a NaN of the same sign.
///
/// The gradient of a floating x is the result's, cast back to x's dtype. A result of integers, bools or floats of 8
/// bits has no gradient and does not require one.
Tensor Cast(const Tensor& x, DType dtype);

}  // namespace ops
}  // namespace twofour
