#pragma once

#include <algorithm>
#include <cstdint>

#include "twofour/core/aligned_buffer.h"
#include "twofour/core/ceil_div.h"

namespace twofour::sparse {

/// Activations [batch, features] in the layout that the sparse kernels use between two products: panels of `panel`
/// batch rows, [panels, features, panel]. For each panel and feature there is also a word that has a bit for every row
/// that is not zero. Rows beyond the batch have no bit, and their values are undefined.
class PanelMatrix {
 public:
  /// Uninitialised. panel is at most 64 and a multiple of 4.
  PanelMatrix(int64_t batch, int64_t features, int64_t panel)
      : batch_(batch),
        features_(features),
        panel_(panel),
        values_(panels() * features * panel),
        nonzero_(panels() * features) {}

  int64_t batch() const { return batch_; }
  int64_t features() const { return features_; }
  int64_t panel() const { return panel_; }
  int64_t panels() const { return CeilDiv(batch_, panel_); }
  /// The batch rows of a panel. The last panel may have fewer.
  int64_t rows(int64_t p) const { return std::min(panel_, batch_ - p * panel_); }
  /// One bit for each row of a panel.
  uint64_t valid_bits(int64_t p) const { return rows(p) == 64 ? ~uint64_t{0} : (uint64_t{1} << rows(p)) - 1; }

  /// [features, panel]
  float* values(int64_t p) { return values_.data() + p * features_ * panel_; }
  const float* values(int64_t p) const { return values_.data() + p * features_ * panel_; }
  /// [features]
  uint64_t* nonzero(int64_t p) { return nonzero_.data() + p * features_; }
  const uint64_t* nonzero(int64_t p) const { return nonzero_.data() + p * features_; }

  /// The share of elements that are not zero; 1 for an empty matrix.
  double Density() const;
  /// Writes the activations row-major, [batch, features].
  void CopyTo(float* out) const;

 private:
  int64_t batch_, features_, panel_;
  AlignedBuffer<float> values_;
  AlignedBuffer<uint64_t> nonzero_;
};

}  // namespace twofour::sparse
