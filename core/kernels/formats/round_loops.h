#pragma once

#include <cstdint>

#include "twofour/core/float4.h"
#include "twofour/core/float8.h"
#include "twofour/core/half.h"

namespace twofour::kernels::loops {

// Rounding to formats of few bits, on the calling thread. All instruction sets give the same bits.

/// The numbers of a format: from 2^e to 2^(e + 1) they are 2^(e - mantissa_bits) apart, for each e from least_exponent
/// on, and below that as far apart as there. `largest` is the last one.
struct NumberGrid {
  int mantissa_bits;
  int least_exponent;
  float largest;
};
inline constexpr NumberGrid kE4M3Grid = {3, -6, Float8E4M3::kLargest};
inline constexpr NumberGrid kE5M2Grid = {2, -14, Float8E5M2::kLargest};
inline constexpr NumberGrid kE2M1Grid = {1, 0, kE2M1Largest};

/// For each block of elements.
struct BlockScales {
  const float* inverse;  ///< What its elements are multiplied by before they are rounded: 1 / scale.
  const float* factor;   ///< What they are multiplied by afterwards.
  const float* limit;    ///< The number of the grid at which they end.
};

/// For stochastic rounding, random numbers must be readable this far beyond those of the elements.
inline constexpr int64_t kRandomPadding = 16;

/// out[b] = the largest magnitude in block b, as bits of a float. NaNs count as larger than infinities. The last of the
/// blocks may be shorter.
void MaxMagnitudes(int64_t n, int64_t block, const float* x, uint32_t* out);
void MaxMagnitudes(int64_t n, int64_t block, const BFloat16* x, uint32_t* out);

/// Rounds n elements to the grid: to the nearest and, halfway between two, to the even one if `random` is null. Else an
/// element that lies the fraction f between two numbers goes up if its random number of 16 bits is among the largest
/// round(f * 2^16) of them. NaNs stay NaNs, which become quiet, and infinities stay infinities. Zeros keep their signs.
/// The results must be numbers of bf16.
void RoundBlocks(const NumberGrid& grid, int64_t n, int64_t block, const float* x, const BlockScales& scales,
                 const uint16_t* random, BFloat16* out);
void RoundBlocks(const NumberGrid& grid, int64_t n, int64_t block, const BFloat16* x, const BlockScales& scales,
                 const uint16_t* random, BFloat16* out);

/// Rounds to bf16 in the same way with the random numbers given. What is too large may become an infinity.
void RoundToBF16(int64_t n, const float* x, const uint16_t* random, BFloat16* out);

/// The block scales of NVFP4 for a tensor scale: factor[b] = magnitude[b] / 6 / tensor_scale as E4M3, from 2^-9 to 448,
/// and inverse[b] = 1 / (factor[b] * tensor_scale). Blocks of zeros have factor 1.
void Nvfp4Scales(int64_t blocks, float tensor_scale, const float* magnitude, float* factor, float* inverse);

}  // namespace twofour::kernels::loops
