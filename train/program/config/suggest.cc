#include "twofour/train/program/config/suggest.h"

#include <fmt/format.h>

#include <algorithm>

namespace twofour::train {

int EditDistance(std::string_view a, std::string_view b) {
  const size_t cols = b.size() + 1;
  std::vector<int> distance((a.size() + 1) * cols);
  const auto at = [&](size_t i, size_t j) -> int& { return distance[i * cols + j]; };
  for (size_t i = 0; i <= a.size(); ++i) at(i, 0) = static_cast<int>(i);
  for (size_t j = 0; j <= b.size(); ++j) at(0, j) = static_cast<int>(j);
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      const int replaced = at(i - 1, j - 1) + (a[i - 1] == b[j - 1] ? 0 : 1);
      at(i, j) = std::min({at(i - 1, j) + 1, at(i, j - 1) + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        at(i, j) = std::min(at(i, j), at(i - 2, j - 2) + 1);
      }
    }
  }
  return distance.back();
}

std::string Nearest(std::string_view word, std::span<const std::string> candidates) {
  if (word.size() > 100) return {};  // No name is that long, and the table would be large.
  std::string nearest;
  int least = static_cast<int>(std::max<size_t>(word.size() / 2, 1)) + 1;
  for (const std::string& candidate : candidates) {
    const int distance = EditDistance(word, candidate);
    if (distance < least) {
      least = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

std::string DidYouMean(std::string_view word, std::span<const std::string> candidates) {
  const std::string nearest = Nearest(word, candidates);
  return nearest.empty() ? "" : fmt::format(" (did you mean '{}'?)", nearest);
}

}  // namespace twofour::train
