#include "twofour/train/program/report/axis.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>

namespace twofour::train {
namespace {

constexpr double kRoom = 0.04;
constexpr double kZeroStrip = 0.15;  // Wide enough that its label stays clear of the lowest number's.

/// The smallest of 1, 2, 2.5 and 5 times a power of ten that is not below `step`.
double RoundUp(double step) {
  const double power = std::pow(10, std::floor(std::log10(step)));
  for (const double factor : {1.0, 2.0, 2.5, 5.0}) {
    // Products such as 0.2 * 10^-1 are not exact.
    if (factor * power >= step * (1 - 1e-9)) return factor * power;
  }
  return 10 * power;
}

/// 25000 as "25k". Small numbers get as many decimals as ticks need that lie `step` apart.
std::string Label(double value, double step) {
  const double magnitude = std::abs(value);
  if (magnitude < step / 2) return "0";
  if (magnitude >= 1e13 || (magnitude < 1e-4 && step < 1e-4)) return fmt::format("{:.3g}", value);
  for (const auto& [unit, name] : {std::pair{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}}) {
    if (magnitude >= unit && magnitude >= 1e4) return fmt::format("{:.6g}{}", value / unit, name);
  }
  int decimals = 0;
  for (double scaled = step; decimals < 8 && std::abs(scaled - std::round(scaled)) > 1e-6 * scaled; scaled *= 10)
    ++decimals;
  return fmt::format("{:.{}f}", value, decimals);
}

std::vector<Axis::Tick> LinearTicks(double low, double high, int max_ticks, double least_step) {
  const double step = std::max(RoundUp((high - low) / max_ticks), least_step);
  std::vector<Axis::Tick> ticks;
  const double slack = 1e-9 * (high - low);
  for (double index = std::ceil((low - slack) / step); index * step <= high + slack; ++index) {
    ticks.push_back({index * step, Label(index * step, step)});
  }
  return ticks;
}

std::string DecadeLabel(double value) {
  return value >= 1e4 || value < 9e-4 ? fmt::format("{:g}", value) : fmt::format("{:.6g}", value);
}

std::vector<Axis::Tick> LogarithmicTicks(double low, double high, int max_ticks) {
  const auto first = static_cast<int>(std::floor(low)), last = static_cast<int>(std::ceil(high));
  // Takes the finest of these that makes at most `max_ticks` ticks.
  for (const std::vector<int>& factors : {std::vector{1, 2, 5}, std::vector{1, 3}, std::vector{1}}) {
    std::vector<Axis::Tick> ticks;
    for (int decade = first; decade <= last; ++decade) {
      for (const int factor : factors) {
        const double value = factor * std::pow(10, decade);
        if (std::log10(value) >= low && std::log10(value) <= high) ticks.push_back({value, DecadeLabel(value)});
      }
    }
    if (static_cast<int>(ticks.size()) <= max_ticks) return ticks;
  }
  std::vector<Axis::Tick> ticks;
  const int stride = (last - first) / max_ticks + 1;
  for (int decade = first; decade <= last; ++decade) {
    const double value = std::pow(10, decade);
    if (decade % stride == 0 && decade >= low && decade <= high) ticks.push_back({value, DecadeLabel(value)});
  }
  return ticks;
}

}  // namespace

Axis Axis::Linear(double low, double high, int max_ticks, double least_step) {
  assert(low <= high && max_ticks > 0);
  Axis axis;
  axis.low_ = low;
  // The range must not be empty, even for equal numbers or numbers that a double hardly tells apart.
  const double least_range = std::max({1e-12, least_step, 1e-9 * std::max(std::abs(low), std::abs(high))});
  axis.high_ = std::max(high, low + least_range);
  axis.ticks_ = LinearTicks(axis.low_, axis.high_, max_ticks, least_step);
  return axis;
}

Axis Axis::Roomy(double low, double high, int max_ticks) {
  double room = kRoom * (high - low);
  if (room <= 1e-9 * std::max(std::abs(low), std::abs(high))) room = low == 0 ? 0.5 : 0.05 * std::abs(low);
  return Linear(low >= 0 ? std::max(low - room, 0.0) : low - room, high + room, max_ticks);
}

Axis Axis::Logarithmic(double low, double high, int max_ticks, bool has_zero) {
  assert(low > 0 && low < high);
  Axis axis;
  axis.logarithmic_ = true;
  const double room = kRoom * (std::log10(high) - std::log10(low));
  axis.low_ = std::log10(low) - room;
  axis.high_ = std::log10(high) + room;
  axis.ticks_ = LogarithmicTicks(axis.low_, axis.high_, max_ticks);
  if (has_zero) {
    axis.strip_ = kZeroStrip;
    axis.ticks_.insert(axis.ticks_.begin(), {0, "0"});
  }
  return axis;
}

double Axis::Place(double value) const {
  if (!logarithmic_) return std::clamp((value - low_) / (high_ - low_), 0.0, 1.0);
  if (value <= 0) return strip_ / 2;
  return strip_ + (1 - strip_) * std::clamp((std::log10(value) - low_) / (high_ - low_), 0.0, 1.0);
}

}  // namespace twofour::train
