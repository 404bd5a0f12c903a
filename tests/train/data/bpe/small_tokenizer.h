#pragma once

#include <string>

#include "twofour/train/data/bpe/tokenizer.h"

namespace twofour::test {

/// The 256 bytes, "th" (256), "the" (257), and the special "<|end|>" (258).
inline train::TokenizerParts SmallParts() {
  train::TokenizerParts parts;
  for (int byte = 0; byte < 256; ++byte) {
    parts.tokens.emplace_back(1, static_cast<char>(byte));
    parts.byte_tokens.push_back(byte);
  }
  parts.tokens.insert(parts.tokens.end(), {"th", "the", "<|end|>"});
  parts.merges = {{'t', 'h', 256}, {256, 'e', 257}};
  parts.special = {258};
  return parts;
}

}  // namespace twofour::test
