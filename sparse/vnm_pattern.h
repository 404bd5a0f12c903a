#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "twofour/core/faults.h"
#include "twofour/core/tensor.h"
#include "twofour/sparse/mask_view.h"
#include "twofour/sparse/vnm.h"

namespace twofour::sparse {

/// The most columns of a block.
inline constexpr int kMostVnmColumns = 32;

/// Rules: v is a multiple of 4 from 4 to 256, n is 2, m is from 5 to 32.
void Check(const VnmPattern& pattern, const FieldPath& at, Faults& faults);

/// Says in words where a mask first keeps more than the pattern allows; nothing if it does not. Blocks go row by row;
/// within a block, its columns are counted first, then each row, then each column of four rows. Throws Error on a
/// pattern that Check finds fault with.
std::optional<std::string> FindVnmViolation(const MaskView& mask, const VnmPattern& pattern);
/// The same for an f32 matrix, of which what is not zero counts as kept. Throws Error for another tensor, too.
std::optional<std::string> FindVnmViolation(const Tensor& matrix, const VnmPattern& pattern);

}  // namespace twofour::sparse
