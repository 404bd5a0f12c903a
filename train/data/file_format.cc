#include "twofour/train/data/file_format.h"

#include "twofour/core/error.h"
#include "twofour/train/data/utf8.h"

namespace twofour::train {
namespace {

using namespace std::string_view_literals;

constexpr size_t kTextBytes = 1 << 16;  // As many are checked to tell text from numbers.
constexpr size_t kFewestTextBytes = 16;

bool IsBlankOrPrints(char32_t character) {
  return (character >= ' ' && character != 0x7f) || (character >= '\t' && character <= '\r');
}

bool IsUtf8Text(std::string_view text) {
  try {
    for (Utf8Reader reader(text, ""); !reader.AtEnd();) {
      if (!IsBlankOrPrints(reader.Next())) return false;
    }
  } catch (const Error&) {
    return false;
  }
  return true;
}

bool IsAsciiInUtf16(std::string_view text) {
  for (size_t i = 0; i + 1 < text.size(); i += 2) {
    const auto low = static_cast<unsigned char>(text[i]);
    if (text[i + 1] != 0 || low >= 0x80 || !IsBlankOrPrints(low)) return false;
  }
  return true;
}

}  // namespace

bool LooksLikeText(std::span<const std::byte> bytes) {
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.size() < kFewestTextBytes) return false;
  if (text.size() > kTextBytes) {
    text = text.substr(0, kTextBytes);
    // Do not end in the middle of a character, which has up to three bytes after its first.
    for (int i = 0; i < 3 && (text.back() & 0xC0) == 0x80; ++i) text.remove_suffix(1);
    if ((text.back() & 0x80) != 0) text.remove_suffix(1);
  }
  if (text.starts_with("\xff\xfe")) return IsAsciiInUtf16(text.substr(2, 64));
  return IsUtf8Text(text);
}

std::string_view WideEncoding(std::string_view text) {
  if (text.starts_with("\xff\xfe\0\0"sv) || text.starts_with("\0\0\xfe\xff"sv)) return "UTF-32";
  return text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff") ? "UTF-16"sv : ""sv;
}

std::string_view WithoutByteOrderMark(std::string_view text) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  return text;
}

}  // namespace twofour::train
