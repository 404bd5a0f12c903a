#include "twofour/train/data/text.h"

#include <algorithm>
#include <charconv>

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
  std::string shown(text.substr(0, kMaxShown));
  std::replace_if(
      shown.begin(), shown.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; }, '?');
  return '"' + shown + (text.size() > kMaxShown ? "...\"" : "\"");
}

}  // namespace twofour::train
