#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "twofour/core/faults.h"
#include "twofour/core/tensor.h"
#include "twofour/sparse/mask_view.h"

namespace twofour::sparse {

/// What a V:N:M weight keeps of the four columns of a block.
enum class VnmInner {
  kTransposable,  ///< Two of four in each row and each column of every four rows: both products can use this.
  kRows,          ///< Two of four in each row, whatever that leaves in columns, as in the papers.
};

/// "transposable", "rows".
std::string_view NameOf(VnmInner inner);

/// V:N:M sparsity: in every block of v rows and m columns, four columns are kept, and n = 2 of these four in each row.
/// The sparsity is 1 - 2 / m (Castro et al., "VENOM: A Vectorized N:M Format for Unleashing the Power of Sparse Tensor
/// Cores", SC 2023; Zhao et al., "Beyond 2:4: Exploring V:N:M Sparsity for Efficient Transformer Inference on GPUs",
/// 2024). Blocks at the edges of a matrix may have fewer rows and columns.
struct VnmPattern {
  int v = 64, n = 2, m = 8;
  VnmInner inner = VnmInner::kTransposable;

  static constexpr int kColumns = 4;  ///< That a block keeps.
  bool operator==(const VnmPattern&) const = default;
  /// "64:2:8", "64:2:8 along rows".
  std::string ToString() const;
};

/// Rules: v is a multiple of 4 from 4 to 256, n is 2, m is from 5 to 32.
void Check(const VnmPattern& pattern, const FieldPath& at, Faults& faults);

/// Says in words where a mask first keeps more than the pattern allows; nothing if it does not. Blocks go row by row;
/// within a block, its columns are counted first, then each row, then each column of four rows. Throws Error on a
/// pattern that Check finds fault with.
std::optional<std::string> FindVnmViolation(const MaskView& mask, const VnmPattern& pattern);
/// The same for an f32 matrix, of which what is not zero counts as kept. Throws Error for another tensor, too.
std::optional<std::string> FindVnmViolation(const Tensor& matrix, const VnmPattern& pattern);

}  // namespace twofour::sparse
