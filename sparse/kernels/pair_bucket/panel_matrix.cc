#include "twofour/sparse/kernels/pair_bucket/panel_matrix.h"

#include <bit>

namespace twofour::sparse {

double PanelMatrix::Density() const {
  if (batch_ == 0 || features_ == 0) return 1;
  int64_t count = 0;
  const uint64_t* words = nonzero(0);
  for (int64_t i = 0; i < panels() * features_; ++i) count += std::popcount(words[i]);
  return static_cast<double>(count) / static_cast<double>(batch_ * features_);
}

template <typename T>
void PanelMatrix::CopyValuesTo(float* out) const {
  for (int64_t p = 0; p < panels(); ++p) {
    const T* const from = values<T>(p);
    for (int64_t feature = 0; feature < features_; ++feature) {
      for (int64_t row = 0; row < rows(p); ++row) {
        out[(p * panel_ + row) * features_ + feature] = static_cast<float>(from[feature * panel_ + row]);
      }
    }
  }
}

void PanelMatrix::CopyTo(float* out) const {
  dtype_ == DType::kBF16 ? CopyValuesTo<BFloat16>(out) : CopyValuesTo<float>(out);
}

}  // namespace twofour::sparse
