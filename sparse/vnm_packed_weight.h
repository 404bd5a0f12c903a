#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "twofour/core/dtype.h"
#include "twofour/sparse/formats/packed_vnm.h"
#include "twofour/sparse/kernels/packed_rows/two_of_four_rows.h"
#include "twofour/sparse/unpacking_weight.h"

namespace twofour::sparse {

/// A V:N:M weight. In the columns that its block of rows keeps, a row is 2:4: the columns of x are gathered once for
/// each block of v rows, and then the products are those of a 2:4 weight with 4 / m of the columns. In memory, 64:2:8
/// takes 0.297 of the dense weight's bytes in values of 16 bits, and 0.273 in those of 32, with 32 bits for each column
/// of a block.
class VnmPackedWeight : public UnpackingWeight {
 public:
  /// Takes what a file holds, of any floating dtype, or what PackVnm made. Never makes a dense matrix. `values` is f32
  /// or bf16 (rounded to nearest even). Throws Error, beginning with `name`, on parts that do not fit together, as
  /// VnmReader does, and on another dtype.
  VnmPackedWeight(const PackedVnm& packed, DType values, const std::string& name);

  size_t bytes() const override { return rows_.bytes() + columns_.size() * sizeof(uint32_t); }

 private:
  VnmPackedWeight(const PackedVnm& packed, const VnmReader& reader, DType values, const std::string& name);
  void MultiplyFew(int64_t batch, const float* x, const float* bias, float* y) const override;
  void UnpackRow(int64_t row, float* to) const override { ScatterRow(row, to); }
  void UnpackRow(int64_t row, BFloat16* to) const override { ScatterRow(row, to); }

  template <typename T>
  void ScatterRow(int64_t row, T* to) const;
  const uint32_t* ColumnsOf(int64_t row_block) const { return columns_.data() + row_block * gathered_; }

  int64_t gathered_;               ///< Columns that a block of rows keeps: four of each group.
  std::vector<uint32_t> columns_;  ///< [blocks of rows, gathered]
  TwoOfFourRows rows_;             ///< [rows, gathered]
};

}  // namespace twofour::sparse
