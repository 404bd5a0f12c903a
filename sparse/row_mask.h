#pragma once

#include <cstdint>
#include <string_view>

#include "twofour/core/faults.h"
#include "twofour/core/tensor.h"
#include "twofour/sparse/mask.h"

namespace twofour::sparse {

/// Of every `of` neighbours along a row, `keep` are kept: "N:M". Hardware for inference asks for 2:4 along rows alone
/// (Mishra et al., "Accelerating Sparse Deep Neural Networks", 2021). In training, the transposed weight is then not
/// 2:4, so products run on kernels that take any mask.
struct RowPattern {
  int keep = 2;
  int of = 4;

  bool operator==(const RowPattern&) const = default;
};

/// The largest M.
inline constexpr int kMostNeighbours = 32;

/// Rule: 0 < keep <= of <= kMostNeighbours.
void Check(const RowPattern& pattern, const FieldPath& at, Faults& faults);
/// Throws Error on a pattern that Check finds fault with.
void RequirePattern(const RowPattern& pattern);

/// The mask of f32 `weight` [rows, cols] that keeps the largest |w| of each group of neighbours; of equal ones, the
/// first. The last group of a row may be shorter: it keeps `keep`, too. Throws Error if the pattern is out of
/// bounds. Throws Error (a runtime failure) as FindMask does if a weight is NaN or infinite.
Mask FindRowMask(const Tensor& weight, const RowPattern& pattern, std::string_view name = "weight");

}  // namespace twofour::sparse
