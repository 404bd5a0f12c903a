#include "twofour/train/program/config/faults.h"

#include <fmt/ranges.h>

#include <cmath>

#include "twofour/core/error.h"
#include "twofour/nn/name_pattern.h"

namespace twofour::train {

void Faults::Missing(const std::string& path, const std::string& expected) {
  lines_.push_back(fmt::format("config: {}: missing, expected {}", path, expected));
}

void Faults::InRange(const std::string& path, int64_t value, int64_t low, int64_t high) {
  Expect(value >= low && value <= high, path, value, fmt::format("{} to {}", low, high));
}

void Faults::AtLeast(const std::string& path, double value, double low) {
  Expect(value >= low && std::isfinite(value), path, value, fmt::format("a finite number of at least {}", low));
}

void Faults::Between(const std::string& path, double value, double low, double high) {
  Expect(value >= low && value <= high, path, value, fmt::format("{} to {}", low, high));
}

void Faults::Finite(const std::string& path, double value) {
  Expect(std::isfinite(value), path, value, "a finite number");
}

void Faults::Probability(const std::string& path, double value) {
  Expect(value >= 0 && value < 1, path, value, "a number in [0, 1)");
}

void Faults::OpenFraction(const std::string& path, double value) {
  Expect(value > 0 && value < 1, path, value, "a number in (0, 1)");
}

void Faults::Regex(const std::string& path, const std::string& pattern) {
  try {
    const nn::NamePattern compiled("config: " + path, pattern);
  } catch (const Error& error) {
    lines_.emplace_back(error.what());
  }
}

void Faults::NotEmpty(const std::string& path, const std::string& value) {
  if (value.empty()) Missing(path, "a file's path");
}

void Faults::Throw() const {
  if (!lines_.empty()) throw Error(fmt::format("{}", fmt::join(lines_, "\n")));
}

}  // namespace twofour::train
