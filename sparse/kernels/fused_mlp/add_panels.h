#pragma once

#include <cstdint>

#include "twofour/sparse/kernels/pair_bucket/panel_matrix.h"

namespace twofour::sparse {

/// bias_grad [features] = the sums of `panel_sums` [panels, features] over the panels, added up in order.
inline void AddPanels(const PanelMatrix& hidden, const float* panel_sums, float* bias_grad) {
  for (int64_t j = 0; j < hidden.features(); ++j) {
    double sum = 0;
    for (int64_t p = 0; p < hidden.panels(); ++p) sum += static_cast<double>(panel_sums[p * hidden.features() + j]);
    bias_grad[j] = static_cast<float>(sum);
  }
}

}  // namespace twofour::sparse
