#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "twofour/sparse/mask_format.h"

namespace twofour::train {

/// A pattern of masks, how fast its products are, and how much it leaves to choose.
struct PatternTrial {
  sparse::MaskFormat format = sparse::MaskFormat::TwoOfFour();
  double speedup = 0;    ///< Time of dense products, divided by that of this pattern's.
  double diversity = 0;  ///< sparse::MaskDiversity.
};

/// The trials, as indices, that no other one beats: none is faster and at least as diverse, or more diverse and at
/// least as fast.
std::vector<size_t> ParetoFront(const std::vector<PatternTrial>& trials);

/// The most diverse trial of those that reach a speed-up; of equally diverse ones, the fastest. Nothing if none does.
std::optional<size_t> ChoosePattern(const std::vector<PatternTrial>& trials, double speedup);

}  // namespace twofour::train
