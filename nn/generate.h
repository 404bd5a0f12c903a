#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "twofour/core/faults.h"
#include "twofour/nn/gpt.h"
#include "twofour/nn/sampling.h"

namespace twofour::nn {

struct GenerateOptions {
  int64_t tokens = 200;  ///< How many tokens to draw.
  SamplingOptions sampling = {};
  uint64_t seed = 1;  ///< Decides the draws.
};

/// Rules: no negative number of tokens, and those of SamplingOptions.
void Check(const GenerateOptions& options, const FieldPath& at, Faults& faults);

/// Continues a prompt and returns the tokens that it draws, one after another. Each is drawn from the model's logits
/// after everything before it, as far back as the model sees. Keys and values are kept, so that a token costs one pass
/// over itself only. Memory does not grow with the number of tokens. `on_token`, if given, is called for each token
/// when it is drawn. If it returns false, generation ends there. Throws Error on an empty prompt and on options out of
/// range. Threads may generate from one model at once.
std::vector<int32_t> Generate(Gpt& gpt, std::span<const int32_t> prompt, const GenerateOptions& options,
                              const std::function<bool(int32_t)>& on_token = {});

}  // namespace twofour::nn
