#pragma once

#include <cstddef>
#include <cstdint>

#include "twofour/sparse/kernels/linear/packed_weight.h"
#include "twofour/sparse/mask_view.h"

namespace twofour::sparse {

/// A dense weight as it lies, and its tile masks. Nothing is packed or copied, so both must stay where they are,
/// unchanged.
class MaskedWeight final : public PackedWeight {
 public:
  static constexpr PackedLayout kLayout = PackedLayout::kInPlace;

  MaskedWeight(const float* weight, const MaskView& mask)
      : PackedWeight(kLayout, Isa::kAny), weight_(weight), mask_(mask) {}

  int64_t rows() const { return mask_.rows; }
  int64_t cols() const { return mask_.cols; }
  /// The tile at an element whose row and column are multiples of 4, and the element itself.
  const TileMask* tiles(int64_t row, int64_t col) const {
    return mask_.tiles + row / kTileSize * mask_.tile_cols() + col / kTileSize;
  }
  const float* data(int64_t row, int64_t col) const { return weight_ + row * cols() + col; }
  size_t bytes() const override { return 0; }

 private:
  const float* weight_;
  MaskView mask_;
};

}  // namespace twofour::sparse
