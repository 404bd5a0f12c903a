#pragma once

#include <optional>
#include <vector>

namespace twofour::train {

/// A short training with masked decay, and how its masks moved.
struct DecayTrial {
  double lambda = 0;
  double flip_rate = 0;
};

/// The flip rate of sparse training should be this part of the dense one's: more and the masks keep changing, less and
/// they settle before they are any good. Hu et al., "Accelerating Transformer Pre-training with 2:4 Sparsity", 2024.
inline constexpr double kLowestFlipRatio = 0.60, kHighestFlipRatio = 0.95;

/// The trial whose flip rate by `dense_flip_rate` lies in the range above and nearest to its middle; of equals the one
/// with the smaller lambda. None: no trial is in the range. Throws Error unless dense_flip_rate is above 0.
std::optional<DecayTrial> ChooseDecay(double dense_flip_rate, const std::vector<DecayTrial>& trials);

}  // namespace twofour::train
