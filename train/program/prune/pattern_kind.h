#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "twofour/sparse/pruning_pattern.h"

namespace twofour::train {

/// A pattern whose sparsity is left open, so that weights are pruned to several levels of it:
///
/// | text | levels |
/// | --- | --- |
/// | unstructured, unstructured:row, block:16x16 | any sparsities |
/// | n:4, or with any n, as in 2:4 | 1 - n/4 |
/// | transposable:2:4, 64:2:8, rows:64:2:8 | the one that it has |
///
/// It is kept as a PruningPattern with any sparsity. This function reads what such a text says, valid or not; nothing
/// for another text.
std::optional<sparse::PruningPattern> ReadPatternKind(std::string_view text);

/// What a text should be, for messages: "a pattern without its sparsity, such as ...".
std::string_view ExpectedPatternKind();

/// Reads such a text. Throws Error, beginning with `where` ("--pattern"), on another one and on a pattern that breaks
/// its rules.
sparse::PruningPattern ParsePatternKind(std::string_view text, std::string_view where);

/// Such a text, "n:4" for any n of four.
std::string KindText(const sparse::PruningPattern& kind);

/// The patterns of this kind with these sparsities, in rising order. Without any, the usual ones: 0.25, 0.5 and 0.75,
/// or all that the kind can have if these are few. Throws Error, beginning with `where` ("--levels"), on a level that
/// is not in (0, 1), is there twice, or is none that the kind can have; and on too many.
std::vector<sparse::PruningPattern> PatternsAt(const sparse::PruningPattern& kind, std::span<const double> levels,
                                               std::string_view where);

}  // namespace twofour::train
