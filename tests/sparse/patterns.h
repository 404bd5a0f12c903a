#pragma once

#include <string_view>

#include "twofour/sparse/pruning_pattern.h"

namespace twofour::test {

/// The pattern that a text names.
inline sparse::PruningPattern PatternOf(std::string_view text) { return sparse::ParsePruningPattern(text, "test"); }

}  // namespace twofour::test
