#pragma once

#include <string_view>

#include "twofour/core/tensor.h"
#include "twofour/sparse/mask.h"
#include "twofour/sparse/vnm_column_choice.h"
#include "twofour/sparse/vnm_pattern.h"

namespace twofour::sparse {

/// The V:N:M mask of f32 scores [rows, cols] of any size, by the scores' magnitude. Each block keeps four columns,
/// which `columns` chooses. Within these, each four rows keep the best of the 90 transposable masks (ExactTileMask), or
/// each row its two largest. Throws Error on a pattern that Check finds fault with, on a choice that RequireChoice
/// refuses, and on another tensor; throws Error (a runtime failure) that says `name` and the place if a score is NaN or
/// infinite.
Mask FindVnmMask(const Tensor& scores, const VnmPattern& pattern, std::string_view name = "weight",
                 VnmColumnChoice columns = VnmColumnChoice::kSums);

}  // namespace twofour::sparse
