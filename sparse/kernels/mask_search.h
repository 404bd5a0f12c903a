#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "twofour/core/isa.h"
#include "twofour/sparse/mask.h"

namespace twofour::sparse {

/// One way of searching tile masks. All kernels of one algorithm give the same masks, bit for bit.
struct MaskSearchKernel {
  std::string name;
  Isa isa;             ///< What it is compiled for.
  std::string tiling;  ///< How it cuts the work, in words.
  MaskAlgorithm algorithm;
  /// Writes the masks of one row of tiles: `weight` points at four rows of `cols` floats each (a multiple of 4),
  /// `tiles` at cols / 4 masks. Returns whether all of the floats are finite; if not, the masks mean nothing.
  bool (*search)(const float* weight, int64_t cols, TileMask* tiles);
};

/// The table of kernels, fastest first, the scalar reference of each algorithm last.
std::span<const MaskSearchKernel> MaskSearchKernels();

/// The first kernel of the table for this algorithm that runs here, or the one that TWOFOUR_KERNEL names
/// if it is one of them. Throws Error where the named one needs another processor.
const MaskSearchKernel& ChooseMaskSearchKernel(MaskAlgorithm algorithm);

}  // namespace twofour::sparse
