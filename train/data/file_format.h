#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "twofour/core/io/file_format.h"

namespace twofour::train {

/// Whether the file's beginning is text: UTF-8 without control characters but blanks and line breaks, 16 bytes at
/// least, or UTF-16 with a byte-order mark. Numbers of 16 bits and more are not: they have zero bytes.
bool LooksLikeText(std::span<const std::byte> bytes);

/// "UTF-16", "UTF-32" where the bytes begin with such a byte-order mark; empty otherwise.
std::string_view WideEncoding(std::string_view text);

/// `text` without the UTF-8 byte-order mark that editors on Windows put before it.
std::string_view WithoutByteOrderMark(std::string_view text);

}  // namespace twofour::train
