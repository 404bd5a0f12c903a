#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace twofour::train {

// Files of tokenizers write bytes as printable characters, because JSON holds text only (GPT-2's bytes_to_unicode,
// github.com/openai/gpt-2, encoder.py): 33 to 126, 161 to 172 and 174 to 255 stand for themselves as code points, and
// the other 68 bytes, in rising order, are U+0100 to U+0143. So a blank is U+0120.

/// Bytes in this writing, as UTF-8.
std::string WriteBytes(std::string_view bytes);

/// The bytes that such text stands for; nothing where the text is not UTF-8 or has a character of another kind.
std::optional<std::string> ReadBytes(std::string_view text);

}  // namespace twofour::train
