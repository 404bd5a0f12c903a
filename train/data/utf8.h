#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace twofour::train {

/// Reads UTF-8 text character by character, as strictly as the Unicode standard asks for (table 3-7): a character that
/// is overlong, a surrogate, beyond U+10FFFF or cut short is an Error. The text must outlive the reader.
class Utf8Reader {
 public:
  /// `source` names the text in messages, and the text begins at its byte `first_byte`.
  Utf8Reader(std::string_view text, std::string source, uint64_t first_byte = 0)
      : text_(text), source_(std::move(source)), first_byte_(first_byte) {}

  bool AtEnd() const { return position_ == text_.size(); }
  /// Byte of the source at which the next character begins.
  uint64_t position() const { return first_byte_ + position_; }
  /// Bytes of the text that are not read yet.
  size_t remaining() const { return text_.size() - position_; }

  /// The next character's code point. Must not be called at the end. Throws Error, naming the byte.
  char32_t Next() {
    const auto lead = static_cast<unsigned char>(text_[position_]);
    if (lead >= 0x80) return NextOfSeveralBytes();
    ++position_;
    return lead;
  }

 private:
  char32_t NextOfSeveralBytes();
  [[noreturn]] void Fail(const std::string& what) const;

  std::string_view text_;
  std::string source_;
  uint64_t first_byte_;
  size_t position_ = 0;  // Within text_.
};

/// Bytes of the character with which `text` begins; 0 where it is empty or does not begin with valid UTF-8.
size_t FirstCharacterLength(std::string_view text);

/// True for what UTF-8 can encode: at most U+10FFFF and no surrogate.
constexpr bool IsUnicodeScalar(char32_t code_point) {
  return code_point < 0xD800 || (code_point > 0xDFFF && code_point <= 0x10FFFF);
}

/// Bytes of a scalar in UTF-8.
constexpr int Utf8Length(char32_t scalar) { return scalar < 0x80 ? 1 : scalar < 0x800 ? 2 : scalar < 0x10000 ? 3 : 4; }

/// Appends a scalar to UTF-8 text.
void AppendUtf8(char32_t scalar, std::string& text);

/// Text for a file that has to be UTF-8. UTF-8 stays as it is; other text is read as Latin-1. So different texts of
/// either kind stay different.
std::string AsUtf8(std::string_view text);

/// A scalar for a message: "'é' (U+00E9)", or "U+000A" alone where showing it would spoil the line.
std::string DescribeCharacter(char32_t scalar);

}  // namespace twofour::train
