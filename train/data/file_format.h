#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "twofour/core/io/file_format.h"

namespace twofour::train {

/// Whether the file's beginning is text: at least 16 bytes of UTF-8 without control characters other than blanks and
/// line breaks, or of ASCII in little-endian UTF-16 with a byte-order mark. Numbers of 16 bits and more are no text,
/// because they have zero bytes.
bool LooksLikeText(std::span<const std::byte> bytes);

/// "UTF-16" or "UTF-32" where the text begins with such a byte-order mark; empty otherwise.
std::string_view WideEncoding(std::string_view text);

inline constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

/// `text` without the UTF-8 byte-order mark that editors on Windows put before it.
std::string_view WithoutByteOrderMark(std::string_view text);

}  // namespace twofour::train
