#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "twofour/core/aligned_buffer.h"
#include "twofour/core/dtype.h"
#include "twofour/core/tensor.h"
#include "twofour/sparse/formats/packed_groups.h"
#include "twofour/sparse/kernels/packed_rows/two_of_four_rows.h"
#include "twofour/sparse/mask.h"
#include "twofour/sparse/mask_format.h"
#include "twofour/sparse/unpacking_weight.h"

namespace twofour::sparse {

/// A weight of which at most n of m neighbours along each row are kept. For 2:4 a position takes 2 bits, so that values
/// of 16 bits take 9/16 of the dense weight's bytes, and those of 32 bits 17/32 (Mishra et al., "Accelerating Sparse
/// Deep Neural Networks", 2021). For other patterns it takes a byte.
class RowPackedWeight : public UnpackingWeight {
 public:
  static constexpr int kMostNeighbours = 32;  ///< m is at most this.

  /// Packs f32 `weight` [rows, cols] where the mask keeps, in values of f32 or bf16 (rounded to nearest even).
  /// `pattern` is MaskFormat::Rows(n, m). Groups that keep fewer are filled up with zeros, and so is a last group that
  /// is cut off. Throws Error on other shapes, dtypes and patterns, and where a group keeps more than n.
  RowPackedWeight(const Tensor& weight, const Mask& mask, const MaskFormat& pattern, DType values);
  /// Takes what a file holds, of any floating dtype, without a dense matrix. Throws as GroupsReader does.
  RowPackedWeight(const PackedGroups& packed, DType values, const std::string& name);

  size_t bytes() const override;

 private:
  /// Keeps nothing.
  RowPackedWeight(int64_t rows, int64_t cols, const MaskFormat& pattern, DType values);
  RowPackedWeight(const PackedGroups& packed, const GroupsReader& reader, DType values);
  void MultiplyFew(int64_t batch, const float* x, const float* bias, float* y) const override;
  void UnpackRow(int64_t row, float* to) const override;
  void UnpackRow(int64_t row, BFloat16* to) const override;

  int64_t groups() const { return padded_cols() / pattern().m; }
  int64_t PlaceOf(int64_t row, int64_t group, int64_t which) const;
  template <typename T>
  void Set(int64_t row, int64_t group, int64_t which, T value, int position);
  template <typename From, typename T>
  void UnpackGroupsOf(int64_t row, T* to) const;
  template <typename T>
  void MultiplyGroups(int64_t batch, const float* x, const float* bias, float* y) const;

  std::optional<TwoOfFourRows> two_of_four_;
  // Of other patterns: [rows, groups, n].
  AlignedBuffer<std::byte> values_;
  AlignedBuffer<uint8_t> positions_;
};

/// Whether each group of `pattern` (MaskFormat::Rows) along the rows keeps at most n.
bool FitsRows(const Mask& mask, const MaskFormat& pattern);

}  // namespace twofour::sparse
