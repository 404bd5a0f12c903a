#include "twofour/train/data/csv_cell.h"

#include <algorithm>
#include <cstddef>

#include "twofour/train/data/text.h"

namespace twofour::train {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

/// The cell without the separators of thousands; nullopt where one stands in another place. Blanks may be of any width.
std::optional<std::string> WithoutThousands(std::string_view cell, const CsvOptions& options) {
  constexpr size_t kGroup = 3;
  std::string text(cell);
  if (options.thousands == ' ') {
    for (const UnseenCharacter& blank : kUnseenCharacters) {
      if (!blank.is_blank) continue;
      for (size_t at = text.find(blank.utf8); at != std::string::npos; at = text.find(blank.utf8)) {
        text.erase(at, blank.utf8.size() - 1);
        text[at] = ' ';
      }
    }
  }
  const size_t begin = text.starts_with('+') || text.starts_with('-') ? 1 : 0;
  const size_t end = std::min(text.find_first_of("eE" + std::string(1, options.decimal)), text.size());
  std::string digits = text.substr(0, begin);
  size_t group = 0, groups = 0;  // Digits since the last separator, and separators.
  for (size_t i = begin; i < end; ++i) {
    if (text[i] == options.thousands) {
      if (group == 0 || group > kGroup || (groups > 0 && group != kGroup)) return std::nullopt;
      group = 0;
      ++groups;
    } else {
      digits += text[i];
      group += IsDigit(text[i]) ? 1 : kGroup + 1;
    }
  }
  if (groups > 0 && group != kGroup) return std::nullopt;
  return digits + text.substr(end);
}

}  // namespace

std::string AsCsvCell(std::string_view text, char delimiter) {
  const auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
  const bool plain = !text.empty() && text.find_first_of("\"\r\n") == std::string_view::npos &&
                     text.find(delimiter) == std::string_view::npos && !is_blank(text.front()) &&
                     !is_blank(text.back());
  if (plain) return std::string(text);
  std::string cell = "\"";
  for (const char c : text) {
    if (c == '"') cell += '"';
    cell += c;
  }
  return cell + '"';
}

std::optional<double> ParseCell(std::string_view cell, const CsvOptions& options) {
  if (options.decimal == '.' && options.thousands == '\0') return ParseNumber(cell);
  std::string text(cell);
  if (options.thousands != '\0') {
    const std::optional<std::string> digits = WithoutThousands(cell, options);
    if (!digits) return std::nullopt;
    text = *digits;
  }
  if (options.decimal != '.') {
    if (text.find('.') != std::string::npos) return std::nullopt;
    std::ranges::replace(text, options.decimal, '.');
  }
  return ParseNumber(text);
}

}  // namespace twofour::train
