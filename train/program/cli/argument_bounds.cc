#include "twofour/train/program/cli/argument_bounds.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <string_view>

namespace twofour::train {
namespace {

/// The digits of a whole number: decimal, or hexadecimal after 0x.
struct Digits {
  bool negative = false;
  int base = 10;
  std::string_view text;

  bool AreDigits() const {
    return !text.empty() && std::ranges::all_of(text, [this](unsigned char c) {
      return base == 16 ? std::isxdigit(c) != 0 : std::isdigit(c) != 0;
    });
  }
  /// CLI11 would read such a number as octal.
  bool HaveZerosBefore() const { return base == 10 && text.size() > 1 && text[0] == '0'; }
};

Digits Split(std::string_view text) {
  Digits digits{text.starts_with('-'), 10, text};
  if (text.starts_with('-') || text.starts_with('+')) digits.text.remove_prefix(1);
  if (digits.text.starts_with("0x") || digits.text.starts_with("0X")) {
    digits.base = 16;
    digits.text.remove_prefix(2);
  }
  return digits;
}

bool IsWithin(const Digits& digits, const ArgumentBounds& bounds) {
  uint64_t magnitude = 0;
  const char* const end = digits.text.data() + digits.text.size();
  if (std::from_chars(digits.text.data(), end, magnitude, digits.base).ec != std::errc()) return false;
  if (!digits.negative || magnitude == 0) {
    return magnitude <= bounds.high && (bounds.low <= 0 || magnitude >= static_cast<uint64_t>(bounds.low));
  }
  return bounds.low < 0 && magnitude - 1 <= static_cast<uint64_t>(-(bounds.low + 1));
}

bool IsFiniteNumber(const std::string& text, double& value) {
  char* end = nullptr;
  value = std::strtod(text.c_str(), &end);
  const bool whole_text = !text.empty() && std::isspace(static_cast<unsigned char>(text[0])) == 0;
  return whole_text && end == text.c_str() + text.size() && std::isfinite(value);
}

std::string Expected(const ArgumentBounds& bounds) {
  if (bounds.whole) return fmt::format("a whole number from {} to {}", bounds.low, bounds.high);
  constexpr ArgumentBounds kNone;
  if (bounds.lowest == kNone.lowest && bounds.highest == kNone.highest) return "a finite number";
  return fmt::format("a number from {:g} to {:g}", bounds.lowest, bounds.highest);
}

}  // namespace

std::string FaultOf(const std::string& text, const ArgumentBounds& bounds) {
  const std::string found = text.empty() ? "nothing" : text;
  if (bounds.whole) {
    const Digits digits = Split(text);
    if (!digits.AreDigits() || !IsWithin(digits, bounds))
      return fmt::format("{}, expected {}", found, Expected(bounds));
    return digits.HaveZerosBefore() ? fmt::format("{}, expected a number that does not begin with 0", found) : "";
  }
  double value = 0;
  if (IsFiniteNumber(text, value) && value >= bounds.lowest && value <= bounds.highest) {
    // A list with decimal commas is split at them: "0,001" becomes "0" and "001".
    const bool has_zeros_before =
        text[0] == '0' && text.size() > 1 && std::isdigit(static_cast<unsigned char>(text[1]));
    return has_zeros_before ? fmt::format("{}, expected a number that does not begin with 0", found) : "";
  }
  const bool has_comma = text.find(',') != std::string::npos;
  return fmt::format("{}, expected {}{}", found, Expected(bounds), has_comma ? ", with a point for decimals" : "");
}

}  // namespace twofour::train
