#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "twofour/train/data/token_source.h"

namespace twofour::train {

inline std::vector<int32_t> TokensOf(const TokenSpan& span) {
  std::vector<int32_t> tokens(static_cast<size_t>(span.size()));
  span.source->Read(span.begin, tokens);
  return tokens;
}

}  // namespace twofour::train
