#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "twofour/core/faults.h"
#include "twofour/sparse/mask_format.h"

namespace twofour::sparse {

/// Within what a pattern with a budget spends it.
enum class PruningScope {
  kRow,    ///< Each row of a weight keeps the same share.
  kLayer,  ///< Each weight does.
  kModel,  ///< All weights together do.
};

/// "row", "layer", "model".
std::string_view NameOf(PruningScope scope);

/// Which masks a weight may get when it is pruned.
///
/// | text | masks |
/// | --- | --- |
/// | unstructured:0.5 | any that drop half of the entries; :row and :model change the scope |
/// | 2:4 | at most 2 of 4 neighbours along rows |
/// | transposable:2:4 | 2 of 4 in each row and each column of every 4x4 tile |
/// | 64:2:8, rows:64:2:8 | V:N:M with transposable tiles, and along rows alone (VnmPattern) |
/// | block:16x16:0.5 | any that drop half of the blocks of 16 rows and 16 columns; :model changes the scope |
///
/// Where sizes do not divide, the last group, tile or block of a line is shorter.
struct PruningPattern {
  MaskFormat format = MaskFormat::TwoOfFour();
  double sparsity = 0;                        ///< The share that is dropped. Only for unstructured masks and blocks.
  PruningScope scope = PruningScope::kLayer;  ///< Likewise.

  static PruningPattern Unstructured(double sparsity, PruningScope scope = PruningScope::kLayer);
  static PruningPattern Blocks(int rows, int cols, double sparsity, PruningScope scope = PruningScope::kLayer);

  bool has_budget() const;
  /// The share that is dropped, of weights whose sizes divide.
  double Sparsity() const;
  /// The text above, without a scope of kLayer.
  std::string ToString() const;
  bool operator==(const PruningPattern&) const = default;
};

/// Rules: n:m along rows has 1 <= n < m <= 32, a transposable one has m = 4, V:N:M is as Check(VnmPattern) says. Blocks
/// have 1 to 1024 rows and columns. The sparsity is in [0, 1], and 0 where there is no budget. Blocks have no scope of
/// rows.
void Check(const PruningPattern& pattern, const FieldPath& at, Faults& faults);

/// What such a text says, valid or not; nothing for another text.
std::optional<PruningPattern> ReadPruningPattern(std::string_view text);

/// What a text should be, for messages: "a pattern such as 2:4, ...".
std::string_view ExpectedPattern();

/// Reads such a text. Throws Error, beginning with `where` ("--pattern"), on another one.
PruningPattern ParsePruningPattern(std::string_view text, std::string_view where);

}  // namespace twofour::sparse
