#pragma once

#include <string>

#include "twofour/core/tensor.h"

namespace twofour::sparse {

/// A 2:4 weight [rows, cols] of f16 or bf16 as PyTorch's SparseSemiStructuredTensorCUTLASS keeps it: the layout of
/// CUTLASS's sparse products on sm80 (torch/sparse/_semi_structured_conversions.py, PyTorch 2).
struct SemiStructured {
  Tensor packed;  ///< [rows, cols / 2]: of each group of four along a row the two entries that are stored.
  /// i16 [rows, cols / 16], in CUTLASS's interleaved order: four groups in each element, 4 bits for each group, from
  /// the lowest on. The lower two bits are the place of the first stored entry, the upper two that of the second.
  Tensor meta;
};

/// Packs a matrix. rows must be a multiple of 32 and cols one of 64, as PyTorch's kernels want. Where a group has fewer
/// than two non-zeros, PyTorch stores place 2, or else 3, and so does this. Throws Error, beginning with `name`, on
/// other sizes and dtypes and, naming row and columns, where a group has more than two non-zeros. f32 is refused: its
/// pattern in hardware is 1:2.
SemiStructured PackSemiStructured(const Tensor& weight, const std::string& name);

/// The dense weight, +0 where nothing was stored. The parts need not be trustworthy: throws Error, beginning with
/// `name`, on dtypes and shapes that do not fit together, and on bits that are no pattern.
Tensor UnpackSemiStructured(const SemiStructured& packed, const std::string& name);

}  // namespace twofour::sparse
