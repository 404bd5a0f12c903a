#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "twofour/core/isa.h"
#include "twofour/sparse/mask_method.h"
#include "twofour/sparse/tile_mask.h"

namespace twofour::sparse {

/// One way to search tile masks. All kernels of one method give the same masks, bit for bit.
struct MaskSearchKernel {
  std::string name;
  Isa isa;             ///< What it is compiled for.
  std::string tiling;  ///< How it cuts the work, in words.
  MaskMethod method;
  /// Writes the masks of one row of tiles, by the magnitude of the scores. `scores` points to four rows of `cols`
  /// floats each (a multiple of 4), and `tiles` to cols / 4 masks. Returns whether all of the floats are finite. If
  /// not, the masks mean nothing.
  bool (*search)(const float* scores, int64_t cols, TileMask* tiles);
};

/// The table of kernels, fastest first. The scalar reference of each method is last.
std::span<const MaskSearchKernel> MaskSearchKernels();

/// The first kernel of the table for this method that runs here, or the one that TWOFOUR_KERNEL names if it is one of
/// them. Throws Error if the named one needs another processor, or if the method has no kernel.
const MaskSearchKernel& ChooseMaskSearchKernel(MaskMethod method);

}  // namespace twofour::sparse
