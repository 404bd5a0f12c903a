#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace twofour::train {

/// All of `text` as a decimal number, in any locale; "inf" and "nan" are numbers here. nullopt when it is no number, or
/// one that a double cannot hold.
std::optional<double> ParseNumber(std::string_view text);

/// True where `text` is a number that no double can hold because it is too far from 0 or too near.
bool IsOutOfRange(std::string_view text);

/// All of `text` as a decimal integer; nullopt when it is none.
std::optional<int64_t> ParseInteger(std::string_view text);

/// A character beyond ASCII that is invisible or looks like a blank.
struct UnseenCharacter {
  std::string_view utf8, name;
  bool is_blank = false;
};

/// Those that occur in real tables: byte-order marks, joiners and blanks of other widths.
inline constexpr UnseenCharacter kUnseenCharacters[] = {
    {"\xEF\xBB\xBF", "<U+FEFF>"},       {"\xE2\x80\x8B", "<U+200B>"},       {"\xE2\x80\x8C", "<U+200C>"},
    {"\xE2\x80\x8D", "<U+200D>"},       {"\xE2\x80\x8E", "<U+200E>"},       {"\xE2\x80\x8F", "<U+200F>"},
    {"\xC2\xAD", "<U+00AD>"},           {"\xC2\xA0", "<U+00A0>", true},     {"\xE2\x80\x83", "<U+2003>", true},
    {"\xE2\x80\x89", "<U+2009>", true}, {"\xE2\x80\xAF", "<U+202F>", true}, {"\xE3\x80\x80", "<U+3000>", true},
};

/// Text from a file for a message: in double quotes, on one line, of bounded length, in UTF-8 (see AsUtf8). Invisible
/// characters are shown by their codes.
std::string Quoted(std::string_view text);

/// The first names in quotes: "a", "b", "c" and 7 more
std::string QuotedList(const std::vector<std::string>& names, size_t most = 8);

}  // namespace twofour::train
