#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace twofour::train {

/// The whole of `text` as a decimal number, whatever the locale; "inf" and "nan" are numbers here. nullopt when it is
/// none, or one that a double cannot hold.
std::optional<double> ParseNumber(std::string_view text);

/// The whole of `text` as a decimal integer; nullopt when it is none.
std::optional<int64_t> ParseInteger(std::string_view text);

/// Text from a file for a message: in double quotes, on one line, of bounded length.
std::string Quoted(std::string_view text);

}  // namespace twofour::train
