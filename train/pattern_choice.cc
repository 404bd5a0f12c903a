#include "twofour/train/pattern_choice.h"

#include <algorithm>

namespace twofour::train {
namespace {

bool Beats(const PatternTrial& a, const PatternTrial& b) {
  return a.speedup >= b.speedup && a.diversity >= b.diversity && (a.speedup > b.speedup || a.diversity > b.diversity);
}

}  // namespace

std::vector<size_t> ParetoFront(const std::vector<PatternTrial>& trials) {
  std::vector<size_t> front;
  for (size_t i = 0; i < trials.size(); ++i) {
    const auto beats = [&](const PatternTrial& other) { return Beats(other, trials[i]); };
    if (std::ranges::none_of(trials, beats)) front.push_back(i);
  }
  return front;
}

std::optional<size_t> ChoosePattern(const std::vector<PatternTrial>& trials, double speedup) {
  std::optional<size_t> best;
  for (size_t i = 0; i < trials.size(); ++i) {
    if (!(trials[i].speedup >= speedup)) continue;
    const bool better = !best || trials[i].diversity > trials[*best].diversity ||
                        (trials[i].diversity == trials[*best].diversity && trials[i].speedup > trials[*best].speedup);
    if (better) best = i;
  }
  return best;
}

}  // namespace twofour::train
