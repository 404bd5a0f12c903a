#pragma once

#include <string_view>

#include "twofour/core/tensor.h"
#include "twofour/sparse/mask.h"
#include "twofour/sparse/mask_format.h"
#include "twofour/sparse/vnm_column_choice.h"

namespace twofour::sparse {

/// The mask of a format that keeps most of f32 scores by magnitude: V:N:M (FindVnmMask), N:M along rows (FindRowMask)
/// or 2:4 both ways (the exact FindMask). `columns` is for V:N:M. Throws Error on any other format, and as these
/// functions do.
Mask FindMaskOf(const Tensor& scores, const MaskFormat& format, std::string_view name = "weight",
                VnmColumnChoice columns = VnmColumnChoice::kSums);

}  // namespace twofour::sparse
