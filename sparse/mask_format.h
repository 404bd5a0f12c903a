#pragma once

#include <cstdint>
#include <string>

#include "twofour/sparse/vnm.h"

namespace twofour::sparse {

/// What is known about the entries that a mask keeps, whatever the weight is. Kernels accept or reject a mask by its
/// format.
struct MaskFormat {
  enum class Kind {
    kDense,         ///< Everything is kept.
    kTransposable,  ///< At most n of m neighbours along rows and along columns, m = 4.
    kRows,          ///< At most n of m neighbours along rows; nothing is known of columns.
    kVnm,           ///< V:N:M with transposable tiles: VnmPattern.
    kVnmRows,       ///< V:N:M along rows; nothing is known of columns.
    kBlocks,        ///< Blocks of block_rows rows and block_cols columns are kept or dropped as a whole.
    kUnstructured,  ///< Nothing is known.
  };
  Kind kind = Kind::kTransposable;
  int n = 2, m = 4;                    ///< Only for kTransposable, kRows and V:N:M.
  int v = 0;                           ///< Only for V:N:M.
  int block_rows = 0, block_cols = 0;  ///< Only for kBlocks.

  static constexpr MaskFormat Dense() { return {Kind::kDense, 0, 0, 0}; }
  static constexpr MaskFormat TwoOfFour() { return {}; }
  static constexpr MaskFormat Rows(int n, int m) { return {Kind::kRows, n, m, 0}; }
  /// Where m is the number of columns that a block keeps, that is 2:4.
  static constexpr MaskFormat Vnm(const VnmPattern& pattern) {
    const bool rows = pattern.inner == VnmInner::kRows;
    if (pattern.m == VnmPattern::kColumns) return rows ? Rows(pattern.n, pattern.m) : TwoOfFour();
    return {rows ? Kind::kVnmRows : Kind::kVnm, pattern.n, pattern.m, pattern.v};
  }
  static constexpr MaskFormat Blocks(int rows, int cols) { return {Kind::kBlocks, 0, 0, 0, rows, cols}; }
  static constexpr MaskFormat Unstructured() { return {Kind::kUnstructured, 0, 0, 0}; }

  /// "dense", "2:4 both ways", "2:4 along rows", "64:2:8", "64:2:8 along rows", "16x16 blocks",
  /// "unstructured".
  std::string ToString() const;
  /// The parts of that name: "dense", "2:4", "64:2:8", "16x16 blocks", "unstructured"; and "both ways", "along rows" or
  /// nothing.
  std::string Ratio() const;
  std::string Direction() const;

  /// Both sizes of a weight that is trained under such masks are multiples of this: of whole tiles, where there are
  /// any.
  int64_t size_unit() const { return kind == Kind::kTransposable || is_vnm() ? 4 : 1; }
  bool is_vnm() const { return kind == Kind::kVnm || kind == Kind::kVnmRows; }
  /// The V:N:M pattern, where there is one.
  constexpr VnmPattern vnm() const {
    return {.v = v, .n = n, .m = m, .inner = kind == Kind::kVnmRows ? VnmInner::kRows : VnmInner::kTransposable};
  }

  bool operator==(const MaskFormat&) const = default;
};

/// Whether every mask of this format keeps at most two of four both ways, as the 2:4 kernels need.
constexpr bool IsTwoOfFour(const MaskFormat& format) {
  return format.kind == MaskFormat::Kind::kTransposable && format.n <= 2 && format.m == 4;
}

}  // namespace twofour::sparse
