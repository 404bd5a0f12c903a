#pragma once

#include <string>
#include <vector>

#include "twofour/core/faults.h"

namespace twofour::sparse {

struct SensitivityPoint {
  double sparsity = 0;
  double loss = 0;  ///< By how much it is larger than that of the dense model.
};

/// What it costs to prune one layer alone, measured at some sparsities.
using SensitivityCurve = std::vector<SensitivityPoint>;

/// Notes faults of the curve of a layer of this name. Rules: at least one point, sparsities that rise and are between 0
/// and 1, losses that are finite.
void CheckCurve(const SensitivityCurve& curve, const std::string& name, Faults& faults);

/// The same curve from (0, 0) on, and where a measured loss is below that of a lower sparsity, or below 0, as high as
/// that: such a gain is noise.
SensitivityCurve Rising(const SensitivityCurve& curve);

/// The loss on straight lines between the points, the first of which is at 0. After the last one it stays the same.
double LossAt(const SensitivityCurve& rising, double sparsity);

}  // namespace twofour::sparse
