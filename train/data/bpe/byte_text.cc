#include "twofour/train/data/bpe/byte_text.h"

#include <array>
#include <map>

#include "twofour/core/error.h"
#include "twofour/train/data/utf8.h"

namespace twofour::train {
namespace {

/// The character of each byte.
std::array<char32_t, 256> Characters() {
  std::array<char32_t, 256> characters{};
  char32_t next = 0x100;
  for (char32_t byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    characters[byte] = printable ? byte : next++;
  }
  return characters;
}

}  // namespace

std::string WriteBytes(std::string_view bytes) {
  static const std::array<char32_t, 256> characters = Characters();
  std::string text;
  for (const char byte : bytes) AppendUtf8(characters[static_cast<unsigned char>(byte)], text);
  return text;
}

std::optional<std::string> ReadBytes(std::string_view text) {
  static const std::map<char32_t, char> bytes = [] {
    std::map<char32_t, char> found;
    const std::array<char32_t, 256> characters = Characters();
    for (size_t byte = 0; byte < characters.size(); ++byte) found[characters[byte]] = static_cast<char>(byte);
    return found;
  }();
  std::string read;
  try {
    for (Utf8Reader reader(text, ""); !reader.AtEnd();) {
      const auto byte = bytes.find(reader.Next());
      if (byte == bytes.end()) return std::nullopt;
      read += byte->second;
    }
  } catch (const Error&) {
    return std::nullopt;
  }
  return read;
}

}  // namespace twofour::train
