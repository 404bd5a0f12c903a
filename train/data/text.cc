#include "twofour/train/data/text.h"

#include <algorithm>
#include <charconv>
#include <iterator>

namespace twofour::train {
namespace {

template <typename T>
std::optional<T> Parse(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::optional<double> ParseNumber(std::string_view text) {
  // Spreadsheets write a plus sign; from_chars does not take one.
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  return Parse<double>(text);
}

std::optional<int64_t> ParseInteger(std::string_view text) { return Parse<int64_t>(text); }

std::string Quoted(std::string_view text) {
  constexpr size_t kMaxShown = 40;
  std::string shown;
  for (std::string_view rest = text.substr(0, kMaxShown); !rest.empty();) {
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

}  // namespace twofour::train
