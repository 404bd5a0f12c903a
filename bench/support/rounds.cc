#include "bench/support/rounds.h"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <cmath>
#include <iostream>
#include <thread>

namespace twofour::bench {
namespace {

constexpr int kMaxRepetitions = 100'000;

double TimeMilliseconds(const std::function<void()>& run, int repetitions) {
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < repetitions; ++i) run();
  const std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - start;
  return elapsed.count() / repetitions;
}

}  // namespace

double Median(std::vector<double> values) {
  assert(!values.empty());
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

Rounds::Rounds(std::string what, int rounds, double min_milliseconds)
    : what_(std::move(what)), rounds_(rounds), min_milliseconds_(min_milliseconds) {}

void Rounds::Add(std::string variant, std::function<void()> run) {
  variants_.push_back({.name = std::move(variant), .run = std::move(run), .repetitions = 1, .milliseconds = {}});
}

void Rounds::Run() {
  std::cerr << what_ << ": warming up\n";
  for (Variant& variant : variants_) variant.repetitions = WarmUp(variant.run);
  for (int round = 0; round < rounds_; ++round) {
    std::cerr << what_ << ": round " << round + 1 << " of " << rounds_ << "\n";
    for (size_t i = 0; i < variants_.size(); ++i) {
      Variant& variant = variants_[(i + static_cast<size_t>(round)) % variants_.size()];
      // The threads of the previous variant may still spin, waiting for more work (OpenMP's do for some milliseconds).
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      variant.milliseconds.push_back(TimeMilliseconds(variant.run, variant.repetitions));
    }
  }
}

/// Returns how many runs take min_milliseconds_.
int Rounds::WarmUp(const std::function<void()>& run) const {
  // The first run pays for pages, threads and code, which later runs find in place. A long run is warm enough by
  // itself.
  if (TimeMilliseconds(run, 1) > 4 * min_milliseconds_) return 1;
  int repetitions = 1;
  for (;;) {
    const double each = std::max(TimeMilliseconds(run, repetitions), 1e-6);
    const int wanted = static_cast<int>(std::clamp(std::ceil(min_milliseconds_ / each), 1.0, double{kMaxRepetitions}));
    if (wanted <= 2 * repetitions) return wanted;
    repetitions = wanted;
  }
}

double Rounds::Milliseconds(const std::string& variant) const { return Median(Find(variant).milliseconds); }

double Rounds::Ratio(const std::string& numerator, const std::string& denominator) const {
  const Variant &above = Find(numerator), &below = Find(denominator);
  std::vector<double> ratios;
  for (size_t i = 0; i < above.milliseconds.size(); ++i) {
    ratios.push_back(above.milliseconds[i] / below.milliseconds[i]);
  }
  return Median(std::move(ratios));
}

std::string Rounds::Fastest(const std::vector<std::string>& variants) const {
  return *std::min_element(variants.begin(), variants.end(), [this](const std::string& a, const std::string& b) {
    return Milliseconds(a) < Milliseconds(b);
  });
}

const Rounds::Variant& Rounds::Find(const std::string& name) const {
  const auto found =
      std::find_if(variants_.begin(), variants_.end(), [&](const Variant& variant) { return variant.name == name; });
  assert(found != variants_.end());
  return *found;
}

}  // namespace twofour::bench
