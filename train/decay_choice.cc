#include "twofour/train/decay_choice.h"

#include <fmt/format.h>

#include <cmath>

#include "twofour/core/error.h"

namespace twofour::train {

std::optional<DecayTrial> ChooseDecay(double dense_flip_rate, const std::vector<DecayTrial>& trials) {
  if (!(dense_flip_rate > 0)) {
    throw Error(fmt::format("masked decay: the dense masks' flip rate is {}, expected above 0: train for more steps",
                            dense_flip_rate));
  }
  constexpr double kMiddle = (kLowestFlipRatio + kHighestFlipRatio) / 2;
  const auto distance = [&](const DecayTrial& trial) { return std::fabs(trial.flip_rate / dense_flip_rate - kMiddle); };
  std::optional<DecayTrial> best;
  for (const DecayTrial& trial : trials) {
    const double ratio = trial.flip_rate / dense_flip_rate;
    if (!(ratio >= kLowestFlipRatio && ratio <= kHighestFlipRatio)) continue;
    const bool nearer = !best || distance(trial) < distance(*best) ||
                        (distance(trial) == distance(*best) && trial.lambda < best->lambda);
    if (nearer) best = trial;
  }
  return best;
}

}  // namespace twofour::train
