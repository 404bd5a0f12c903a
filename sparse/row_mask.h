#pragma once

#include <cstdint>
#include <string_view>

#include "twofour/core/faults.h"
#include "twofour/core/tensor.h"
#include "twofour/sparse/mask.h"

namespace twofour::sparse {

/// Of every `of` neighbours along a row, `keep` are kept: "N:M". 2:4 along rows alone is what inference asks for
/// (Mishra et al., "Accelerating Sparse Deep Neural Networks", 2021); in training the transposed
/// weight is not 2:4 then, and products run on kernels that take any mask.
struct RowPattern {
  int keep = 2;
  int of = 4;
};

/// The largest M.
inline constexpr int kMostNeighbours = 32;

/// 0 < keep <= of <= kMostNeighbours.
void Check(const RowPattern& pattern, const FieldPath& at, Faults& faults);
/// Throws Error on a pattern that Check finds fault with.
void RequirePattern(const RowPattern& pattern);

/// The mask of f32 `weight` [rows, cols] that keeps the largest |w| of each group of neighbours; of equals the first.
/// Throws Error on a pattern out of bounds, unless cols is a multiple of `of`; and (a runtime failure) as FindMask does
/// on what is not finite.
Mask FindRowMask(const Tensor& weight, const RowPattern& pattern, std::string_view name = "weight");

}  // namespace twofour::sparse
