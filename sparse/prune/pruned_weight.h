#pragma once

#include <string>
#include <vector>

#include "twofour/core/tensor.h"
#include "twofour/sparse/mask.h"

namespace twofour::sparse {

/// What a method of one-shot pruning makes of a weight.
struct PrunedWeight {
  Tensor weight;  ///< f32, 0 where the mask drops.
  Mask mask;
  std::vector<std::string> notes = {};  ///< What the user should know, one line each, beginning with the weight's name.
};

}  // namespace twofour::sparse
