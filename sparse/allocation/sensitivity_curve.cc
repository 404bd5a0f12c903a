#include "twofour/sparse/allocation/sensitivity_curve.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace twofour::sparse {

void CheckCurve(const SensitivityCurve& curve, const std::string& name, Faults& faults) {
  if (curve.empty()) faults.Missing(name, "at least one point of a curve");
  double before = 0;
  for (size_t i = 0; i < curve.size(); ++i) {
    const FieldPath point(fmt::format("{}: point {}", name, i));
    const auto [sparsity, loss] = curve[i];
    faults.Expect(sparsity > before && sparsity < 1, point("sparsity"), sparsity,
                  fmt::format("above {}, as sparsities rise from 0, and below 1", before));
    faults.Finite(point("loss"), loss);
    before = sparsity;
  }
}

SensitivityCurve Rising(const SensitivityCurve& curve) {
  SensitivityCurve rising = {{.sparsity = 0, .loss = 0}};
  for (const auto& [sparsity, loss] : curve) {
    rising.push_back({.sparsity = sparsity, .loss = std::max(loss, rising.back().loss)});
  }
  return rising;
}

double LossAt(const SensitivityCurve& rising, double sparsity) {
  const auto after = std::ranges::upper_bound(rising, sparsity, {}, &SensitivityPoint::sparsity);
  if (after == rising.end()) return rising.back().loss;
  const SensitivityPoint& left = *(after - 1);
  return std::lerp(left.loss, after->loss, (sparsity - left.sparsity) / (after->sparsity - left.sparsity));
}

}  // namespace twofour::sparse
