#pragma once

#include <cstdint>
#include <vector>

#include "twofour/core/tensor.h"

namespace twofour::nn {

/// The keys and values of the tokens that a Gpt has seen, so that each further token costs one pass over itself only.
/// Made by Gpt::MakeCache and filled by Gpt::Decode. Tokens that no later token sees make room for new ones.
struct KeyValueCache {
  struct Layer {
    /// [batch, capacity, kv_heads, head_size], after rotation and norm. Both are f32, or of the model's activations.
    Tensor keys, values;
  };
  std::vector<Layer> layers;
  int64_t capacity = 0;
  int64_t length = 0;  ///< Tokens seen.
  int64_t first = 0;   ///< The position of the token in the first row; the rows after it hold those up to `length`.

  int64_t rows() const { return length - first; }
  /// Keeps the last `rows_to_keep` rows and moves them to the front.
  void DropAllBut(int64_t rows_to_keep);
};

}  // namespace twofour::nn
