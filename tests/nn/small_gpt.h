#pragma once

#include <memory>

#include "twofour/core/random.h"
#include "twofour/nn/gpt.h"

namespace twofour::nn {

inline const GptOptions kSmall{.vocab_size = 19, .sequence_length = 16, .depth = 2, .width = 32, .heads = 4};

/// A model in which no branch is zero.
inline std::unique_ptr<Gpt> MakeGpt(GptOptions options, uint64_t seed = 1) {
  options.init.projection_std = 0.3;
  options.init.head_std = 0.2;
  Generator generator(seed);
  return std::make_unique<Gpt>(options, generator);
}

}  // namespace twofour::nn
