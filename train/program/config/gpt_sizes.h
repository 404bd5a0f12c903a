#pragma once

#include <algorithm>
#include <cstdint>

#include "config.pb.h"

namespace twofour::train {

// What a gpt's sizes of 0 stand for: the depth convention, where one number decides the rest.

inline int64_t GptWidth(const proto::Gpt& gpt) { return gpt.width() == 0 ? 64 * gpt.depth() : gpt.width(); }

inline int64_t GptHeads(const proto::Gpt& gpt) {
  return gpt.heads() == 0 ? std::max<int64_t>(GptWidth(gpt) / 64, 1) : gpt.heads();
}

inline int64_t GptKvHeads(const proto::Gpt& gpt) { return gpt.kv_heads() == 0 ? GptHeads(gpt) : gpt.kv_heads(); }

}  // namespace twofour::train
