#include "twofour/sparse/kernels/panel_matrix.h"

#include <bit>

namespace twofour::sparse {

double PanelMatrix::Density() const {
  if (batch_ == 0 || features_ == 0) return 1;
  int64_t count = 0;
  const uint64_t* words = nonzero(0);
  for (int64_t i = 0; i < panels() * features_; ++i) count += std::popcount(words[i]);
  return static_cast<double>(count) / static_cast<double>(batch_ * features_);
}

}  // namespace twofour::sparse
