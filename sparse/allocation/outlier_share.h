#pragma once

#include <span>

#include "twofour/sparse/budget_mask.h"

namespace twofour::sparse {

/// The share of scores f32 [rows, cols] whose magnitude is above `multiple` times the mean of all magnitudes: of one
/// linear, or of all linears of a block taken together. It is OWL's layer outlier distribution (see AllocateByOutliers)
/// if the scores are Wanda's. Throws Error on other tensors, without scores, and unless `multiple` is above 0; throws
/// Error (a runtime failure) that says the name and the place if a score is NaN or infinite.
double OutlierShare(std::span<const NamedScores> scores, double multiple = 5);

/// The same for one matrix.
double OutlierShare(const Tensor& scores, double multiple = 5);

}  // namespace twofour::sparse
