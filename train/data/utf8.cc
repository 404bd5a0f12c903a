#include "twofour/train/data/utf8.h"

#include <fmt/format.h>

#include <cstdint>

#include "twofour/core/error.h"

namespace twofour::train {
namespace {

/// Whether it is a control character, or one that breaks lines or changes the direction of writing.
bool SpoilsALine(char32_t scalar) {
  return scalar < 0x20 || (scalar >= 0x7F && scalar < 0xA0) || (scalar >= 0x2028 && scalar <= 0x202E) ||
         (scalar >= 0x2066 && scalar <= 0x2069);
}

}  // namespace

char32_t Utf8Reader::NextOfSeveralBytes() {
  const auto byte = [this](size_t i) { return static_cast<unsigned char>(text_[position_ + i]); };
  const unsigned lead = byte(0);
  if (lead < 0xC0 || lead >= 0xF8) Fail(fmt::format("{:#04x} begins no character", lead));
  const size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  char32_t code_point = lead & (0x7FU >> length);
  for (size_t i = 1; i < length; ++i) {
    if (position_ + i == text_.size()) Fail("the text ends within a character");
    if ((byte(i) & 0xC0U) != 0x80) {
      Fail(
          fmt::format("{:#04x} begins a character of {} bytes, {:#04x} does not go on with it", lead, length, byte(i)));
    }
    code_point = code_point << 6 | (byte(i) & 0x3FU);
  }
  if (code_point > 0x10FFFF) Fail("a code point above U+10FFFF");
  if (!IsUnicodeScalar(code_point)) Fail(fmt::format("the surrogate U+{:04X}", static_cast<uint32_t>(code_point)));
  if (static_cast<size_t>(Utf8Length(code_point)) != length) {
    Fail(fmt::format("{} bytes for U+{:04X}, which takes {}", length, static_cast<uint32_t>(code_point),
                     Utf8Length(code_point)));
  }
  position_ += length;
  return code_point;
}

void Utf8Reader::Fail(const std::string& what) const {
  throw Error(fmt::format("{}: byte {}: not UTF-8: {}", source_, position(), what));
}

size_t FirstCharacterLength(std::string_view text) {
  if (text.empty()) return 0;
  const auto byte = [text](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  const size_t length = lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
  if (length == 0 || text.size() < length) return 0;
  // What follows some leads is narrower: no overlong forms, no surrogates, nothing beyond U+10FFFF.
  const unsigned low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const unsigned high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (byte(1) < low || byte(1) > high) return 0;
  for (size_t i = 2; i < length; ++i) {
    if (byte(i) < 0x80 || byte(i) > 0xBF) return 0;
  }
  return length;
}

void AppendUtf8(char32_t scalar, std::string& text) {
  const int length = Utf8Length(scalar);
  if (length == 1) {
    text += static_cast<char>(scalar);
    return;
  }
  constexpr unsigned kLeads[] = {0, 0, 0xC0, 0xE0, 0xF0};
  text += static_cast<char>(kLeads[length] | scalar >> 6 * (length - 1));
  for (int i = length - 2; i >= 0; --i) text += static_cast<char>(0x80U | (scalar >> 6 * i & 0x3FU));
}

std::string AsUtf8(std::string_view text) {
  try {
    for (Utf8Reader reader(text, ""); !reader.AtEnd();) reader.Next();
    return std::string(text);
  } catch (const Error&) {
    std::string converted;
    for (const char c : text) AppendUtf8(static_cast<unsigned char>(c), converted);
    return converted;
  }
}

std::string DescribeCharacter(char32_t scalar) {
  const std::string number = fmt::format("U+{:04X}", static_cast<uint32_t>(scalar));
  if (SpoilsALine(scalar)) return number;
  std::string shown;
  AppendUtf8(scalar, shown);
  return fmt::format("'{}' ({})", shown, number);
}

}  // namespace twofour::train
