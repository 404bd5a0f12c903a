#pragma once

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>

#include "twofour/core/aligned_buffer.h"
#include "twofour/core/ceil_div.h"
#include "twofour/core/dtype.h"

namespace twofour::sparse {

/// Activations [batch, features] in the layout that the sparse kernels use between two products: panels of `panel`
/// batch rows, [panels, features, panel]. For each panel and feature there is also a word that has a bit for every row
/// that is not zero. Rows beyond the batch have no bit, and their values are undefined. Values are f32 or bf16.
class PanelMatrix {
 public:
  /// Uninitialised. panel is at most 64 and a multiple of 4.
  PanelMatrix(int64_t batch, int64_t features, int64_t panel, DType dtype = DType::kF32)
      : batch_(batch),
        features_(features),
        panel_(panel),
        dtype_(dtype),
        values_(panels() * features * panel * static_cast<int64_t>(SizeOf(dtype))),
        nonzero_(panels() * features) {}

  int64_t batch() const { return batch_; }
  int64_t features() const { return features_; }
  int64_t panel() const { return panel_; }
  DType dtype() const { return dtype_; }
  int64_t panels() const { return CeilDiv(batch_, panel_); }
  /// The batch rows of a panel. The last panel may have fewer.
  int64_t rows(int64_t p) const { return std::min(panel_, batch_ - p * panel_); }
  /// One bit for each row of a panel.
  uint64_t valid_bits(int64_t p) const { return rows(p) == 64 ? ~uint64_t{0} : (uint64_t{1} << rows(p)) - 1; }

  /// [features, panel], elements of `dtype`.
  template <typename T = float>
  T* values(int64_t p) {
    assert(dtype_ == DTypeOf<T>());
    return reinterpret_cast<T*>(values_.data()) + p * features_ * panel_;
  }
  template <typename T = float>
  const T* values(int64_t p) const {
    assert(dtype_ == DTypeOf<T>());
    return reinterpret_cast<const T*>(values_.data()) + p * features_ * panel_;
  }
  /// [features]
  uint64_t* nonzero(int64_t p) { return nonzero_.data() + p * features_; }
  const uint64_t* nonzero(int64_t p) const { return nonzero_.data() + p * features_; }

  /// The share of elements that are not zero; 1 for an empty matrix.
  double Density() const;
  /// Writes the activations row-major, [batch, features], as f32.
  void CopyTo(float* out) const;

 private:
  template <typename T>
  void CopyValuesTo(float* out) const;

  int64_t batch_, features_, panel_;
  DType dtype_;
  AlignedBuffer<std::byte> values_;
  AlignedBuffer<uint64_t> nonzero_;
};

}  // namespace twofour::sparse
