#pragma once

#include <string>
#include <string_view>

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

}  // namespace twofour::sparse
