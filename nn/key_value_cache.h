#pragma once

#include <cstdint>
#include <vector>

#include "twofour/core/tensor.h"

namespace twofour::nn {

/// The keys and values of the tokens that a Gpt has seen, so that each further token costs one pass over itself alone.
/// Made by Gpt::MakeCache and filled by Gpt::Decode.
struct KeyValueCache {
  struct Layer {
    Tensor keys, values;  ///< [batch, capacity, kv_heads, head_size], after rotation and norm.
  };
  std::vector<Layer> layers;
  int64_t capacity = 0;
  int64_t length = 0;  ///< Positions filled, the same in all layers.
};

}  // namespace twofour::nn
