#include "twofour/core/peak_estimate.h"

#include <algorithm>
#include <cstddef>
#include <optional>

namespace twofour {
namespace {

/// Fewer moments than this say little, because the best of them could be a fault of the clock.
constexpr size_t kFewestMoments = 20;
/// A window in which a thread ran for less than this share of the time tells nothing about what ran beside it.
constexpr double kWhole = 0.9;
/// The peak is the rate that this share of the moments exceeds. The very best moments are faults of the clock.
constexpr double kExceeded = 0.05;
/// A typical speed of at least this share of the peak counts as steady.
constexpr double kSteady = 0.93;

double Rate(const PeakWindow& window) {
  return window.ran > 0 ? window.operations * 1e9 / static_cast<double>(window.ran) : 0.0;
}

bool IsWhole(const PeakWindow& window) {
  return static_cast<double>(window.ran) >= kWhole * static_cast<double>(window.end - window.begin);
}

/// The value that a share of all values reaches or exceeds. Sorts `values`.
double FromTop(std::vector<double>& values, double share) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end(), std::greater<>());
  return values[std::min(values.size() - 1, static_cast<size_t>(share * static_cast<double>(values.size())))];
}

/// The window that holds a moment, if it is whole.
std::optional<PeakWindow> At(const std::vector<PeakWindow>& windows, int64_t moment) {
  const auto next = std::ranges::upper_bound(windows, moment, {}, &PeakWindow::begin);
  if (next == windows.begin()) return std::nullopt;
  const PeakWindow& window = *std::prev(next);
  return window.end >= moment && IsWhole(window) ? std::optional(window) : std::nullopt;
}

/// The rates of all threads together, at the moments when all of them ran.
std::vector<double> RatesTogether(const std::vector<std::vector<PeakWindow>>& threads) {
  std::vector<double> rates;
  for (const PeakWindow& window : threads[0]) {
    const int64_t moment = window.begin + (window.end - window.begin) / 2;
    double sum = 0;
    const bool all = std::ranges::all_of(threads, [&](const std::vector<PeakWindow>& windows) {
      const std::optional<PeakWindow> at = At(windows, moment);
      if (at) sum += Rate(*at);
      return at.has_value();
    });
    if (all) rates.push_back(sum);
  }
  return rates;
}

}  // namespace

PeakFlops EstimatePeak(const std::vector<std::vector<PeakWindow>>& threads) {
  PeakFlops peak;
  if (threads.empty()) return peak;
  std::vector<double> together = RatesTogether(threads);
  if (together.size() >= kFewestMoments) {
    peak.flops = FromTop(together, kExceeded);
    peak.typical = FromTop(together, 0.5);
    peak.sure = peak.typical >= kSteady * peak.flops;
    return peak;
  }
  for (const std::vector<PeakWindow>& windows : threads) {
    std::vector<double> rates;
    for (const PeakWindow& window : windows) rates.push_back(Rate(window));
    peak.flops += FromTop(rates, kExceeded);
    peak.typical += FromTop(rates, 0.5);
  }
  return peak;
}

}  // namespace twofour
