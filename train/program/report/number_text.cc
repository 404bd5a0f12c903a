#include "twofour/train/program/report/number_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace twofour::train {

int DecimalsFor(double spread, double value) {
  constexpr int kMaxDecimals = 8;
  const double magnitude = std::abs(spread > 0 ? spread : value);
  if (!(magnitude > 0) || !std::isfinite(magnitude)) return spread > 0 ? 0 : 1;
  const int digits = spread > 0 ? 2 : 4;
  return std::clamp(digits - 1 - static_cast<int>(std::floor(std::log10(magnitude))), 0, kMaxDecimals);
}

std::string NumberText(double value, int decimals) {
  const double magnitude = std::abs(value);
  std::string text = magnitude >= 1e9 || (magnitude > 0 && magnitude < std::pow(10, -decimals - 2))
                         ? fmt::format("{:.4g}", magnitude)
                         : fmt::format("{:.{}f}", magnitude, decimals);
  // Never "-0.00".
  const bool is_zero = text.find_first_not_of("0.") == std::string::npos;
  return (std::signbit(value) && !is_zero ? "−" : "") + text;
}

std::string SignedText(double value, int decimals) {
  const std::string text = NumberText(value, decimals);
  return value > 0 && text.find_first_not_of("0.") != std::string::npos ? "+" + text : text;
}

}  // namespace twofour::train
