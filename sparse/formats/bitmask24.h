#pragma once

#include <string>

#include "twofour/core/tensor.h"

namespace twofour::sparse {

/// A 2:4 weight [rows, cols] as the library compressed-tensors keeps it in the format "sparse-24-bitmask" (its
/// sparse_24_bitmask.py, version 0.9).
struct Bitmask24 {
  Tensor compressed;  ///< [rows, cols / 2]: of each group of four along a row the two entries that are stored.
  Tensor bitmask;     ///< u8 [rows, ceil(cols / 8)]: bit c % 8 of byte c / 8 tells that column c is stored.
  Tensor shape;       ///< i64 [2, 1]: rows, cols.
};

/// Packs a matrix of any floating dtype, whose columns must be a multiple of four. Which zeros are stored where a group
/// has fewer than two non-zeros is open in that format; here it is the first ones. Throws Error, beginning with `name`,
/// on another tensor and, naming row and columns, where a group has more than two non-zeros.
Bitmask24 PackBitmask24(const Tensor& weight, const std::string& name);

/// The dense weight, +0 where nothing was stored. The parts need not be trustworthy: throws Error, beginning with
/// `name`, on dtypes and shapes that do not fit together, on a row with another number of bits than stored entries, and
/// on bits beyond the last column. Takes any distribution of the bits in a row, as that library does.
Tensor UnpackBitmask24(const Bitmask24& packed, const std::string& name);

}  // namespace twofour::sparse
