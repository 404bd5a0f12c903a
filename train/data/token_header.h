#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace twofour::train {

/// The size of the header at the start of a token file's bytes: 0 where there is none, and 1024 for llm.c's (256 32-bit
/// numbers: 20240520, version 1, the number of 16-bit ids). `source` names the file in messages.
///
/// Anything could be bare ids, so what is known to be something else is refused by name. Throws Error on llm.c's other
/// files (weights, states, tokenizers, evaluations) and versions, 32-bit ids among them, on its header in big-endian
/// order, when the bytes that follow are not as many as the header asks for, on files of a WellKnownFormat, and on
/// text.
int64_t TokenFileHeaderBytes(std::span<const std::byte> bytes, const std::string& source);

}  // namespace twofour::train
