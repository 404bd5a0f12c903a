#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace twofour::train {

/// Number of single-character insertions, deletions, replacements and swaps of neighbours that turn one word into the
/// other (optimal string alignment).
int EditDistance(std::string_view a, std::string_view b);

/// The candidate nearest to `word`. Empty if none is near enough to be what the user meant.
std::string Nearest(std::string_view word, std::span<const std::string> candidates);

/// " (did you mean 'lr'?)", or empty.
std::string DidYouMean(std::string_view word, std::span<const std::string> candidates);

}  // namespace twofour::train
