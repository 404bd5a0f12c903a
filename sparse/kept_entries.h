#pragma once

#include "twofour/core/tensor.h"
#include "twofour/sparse/mask.h"

namespace twofour::sparse {

/// The elements of f32 `values` [rows, cols] that the mask keeps, tile by tile and row by row within a tile: f32
/// [kept]. Throws Error on values of another shape than the mask's.
Tensor KeptEntries(const Mask& mask, const Tensor& values);

/// The reverse: f32 [rows, cols] with zeros where the mask drops. Throws Error on another number of entries.
Tensor SpreadEntries(const Mask& mask, const Tensor& kept);

}  // namespace twofour::sparse
