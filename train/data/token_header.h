#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace twofour::train {

/// As many of a token file's first bytes as show what it is: more than LooksLikeText() looks at.
inline constexpr int64_t kTokenFileBeginning = 1 << 17;

/// The size of the header of a token file of `size` bytes: 0 where there is none, and 1024 for llm.c's (256 32-bit
/// numbers: 20240520, version 1, the number of 16-bit ids). `beginning` are its first kTokenFileBeginning bytes, or all
/// where there are fewer; `source` names the file in messages.
///
/// Anything could be bare ids, so what is known to be something else is refused by name. Throws Error on llm.c's other
/// files (weights, states, tokenizers, evaluations) and versions, 32-bit ids among them, on its header in big-endian
/// order, when the bytes that follow are not as many as the header asks for, on files of a WellKnownFormat, and on
/// text.
int64_t TokenFileHeaderBytes(std::span<const std::byte> beginning, int64_t size, const std::string& source);

}  // namespace twofour::train
