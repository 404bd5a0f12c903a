#pragma once

#include <cstdint>

#include "twofour/core/random.h"
#include "twofour/core/tensor.h"

namespace twofour {

/// Columns of a block of the Hadamard transform.
inline constexpr int64_t kHadamardBlock = 16;

/// The signs of a random Hadamard transform: bit c is set where column c of each block changes its sign.
uint16_t RandomHadamardSigns(const RandomKey& key);

/// Multiplies each block of 16 neighbours along the rows of x [rows, cols], f32, by H diag(signs) / 4. H is the
/// symmetric Hadamard matrix of 16 rows, so the transform is orthonormal: it keeps norms, and products x y^T of two
/// matrices whose rows were transformed with the same signs. It spreads single large elements over their blocks before
/// they are rounded to few bits, as NVIDIA's recipe for NVFP4 does ("Pretraining large language models with NVFP4",
/// 2025). Deterministic, the same bits on all instruction sets; records no gradient. Throws Error unless cols is a
/// multiple of 16.
Tensor HadamardTransform(const Tensor& x, uint16_t signs);

/// The inverse, diag(signs) H / 4, which gives x back but for rounding.
Tensor InverseHadamardTransform(const Tensor& y, uint16_t signs);

}  // namespace twofour
