#pragma once

#include <optional>
#include <vector>

namespace twofour::train {

/// A short training with masked decay, and the flip rate of its masks.
struct DecayTrial {
  double lambda = 0;
  double flip_rate = 0;
};

/// The flip rate of sparse training, divided by that of dense training, should lie in this range. Above it the masks
/// keep changing; below it they settle before they are good. Hu et al., "Accelerating Transformer Pre-training with 2:4
/// Sparsity", 2024.
inline constexpr double kLowestFlipRatio = 0.60, kHighestFlipRatio = 0.95;

/// The trial whose flip rate, divided by `dense_flip_rate`, is nearest to the middle of that range; of two that are
/// equally near, the one with the smaller lambda. Nothing where no trial is in the range. Throws Error unless
/// dense_flip_rate is above 0.
std::optional<DecayTrial> ChooseDecay(double dense_flip_rate, const std::vector<DecayTrial>& trials);

}  // namespace twofour::train
