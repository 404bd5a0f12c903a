#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace twofour::train {

/// How many of a token file's first bytes are needed to tell what it is; more than LooksLikeText() checks.
inline constexpr int64_t kTokenFileBeginning = 1 << 17;

/// The size of the header of a token file of `size` bytes: 0 where there is none, and 1024 for llm.c's (256 32-bit
/// numbers: 20240520, version 1, the number of 16-bit ids). `beginning` are its first kTokenFileBeginning bytes, or all
/// where there are fewer; `source` names the file in messages.
///
/// Any bytes could be bare ids, so a file that is known to be something else is refused by name. Throws Error on
/// llm.c's other files (weights, states, tokenizers, evaluations) and versions, such as those with 32-bit ids; on its
/// header in big-endian order; when another number of bytes follows than the header announces; on files of a
/// WellKnownFormat; and on text.
int64_t TokenFileHeaderBytes(std::span<const std::byte> beginning, int64_t size, const std::string& source);

/// llm.c's header of a file of `count` 16-bit ids.
std::array<int32_t, 256> TokenFileHeader(int32_t count);

}  // namespace twofour::train
