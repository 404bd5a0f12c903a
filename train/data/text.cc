#include "twofour/train/data/text.h"

#include <algorithm>
#include <charconv>
#include <iterator>

#include "twofour/train/data/utf8.h"

namespace twofour::train {
namespace {

template <typename T>
std::optional<T> Parse(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// Spreadsheets write a plus sign, but from_chars does not accept one.
std::string_view WithoutPlus(std::string_view text) {
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  return text;
}

/// The first characters of the text, in at most `bytes` bytes, without a part of a character at the end.
std::string Beginning(std::string_view text, size_t bytes) {
  if (text.size() <= bytes) return AsUtf8(text);
  size_t end = bytes;
  while (end > 0 && bytes - end < 3 && (text[end] & 0xC0) == 0x80) --end;
  return AsUtf8(text.substr(0, end));
}

}  // namespace

std::optional<double> ParseNumber(std::string_view text) { return Parse<double>(WithoutPlus(text)); }

bool IsOutOfRange(std::string_view text) {
  text = WithoutPlus(text);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc::result_out_of_range && end == text.data() + text.size();
}

std::optional<int64_t> ParseInteger(std::string_view text) { return Parse<int64_t>(text); }

std::string Quoted(std::string_view text) {
  constexpr size_t kMaxShown = 40;
  std::string shown;
  const std::string beginning = Beginning(text, kMaxShown);
  for (std::string_view rest = beginning; !rest.empty();) {
    const auto unseen = std::ranges::find_if(
        kUnseenCharacters, [rest](const UnseenCharacter& character) { return rest.starts_with(character.utf8); });
    const auto c = static_cast<unsigned char>(rest[0]);
    if (unseen != std::end(kUnseenCharacters)) {
      shown += unseen->name;
      rest.remove_prefix(unseen->utf8.size());
      continue;
    }
    shown += c < ' ' || c == 0x7f ? '?' : rest[0];
    rest.remove_prefix(1);
  }
  return '"' + shown + (text.size() > kMaxShown ? "...\"" : "\"");
}

std::string QuotedList(const std::vector<std::string>& names, size_t most) {
  std::string list;
  for (size_t i = 0; i < std::min(names.size(), most); ++i) list += (i == 0 ? "" : ", ") + Quoted(names[i]);
  if (names.size() > most) list += " and " + std::to_string(names.size() - most) + " more";
  return list;
}

}  // namespace twofour::train
