#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <vector>

namespace twofour::train {

// Far above anything that fits into memory, and low enough that products of two stay inside 63 bits.
inline constexpr int64_t kMaxFeatures = 1 << 20;
inline constexpr int64_t kMaxCount = int64_t{1} << 40;
inline constexpr int64_t kMaxAccumulation = 1 << 20;

/// Collects the faults of a config, so that the user sees all of them at once. Paths are those of --set.
class Faults {
 public:
  template <typename T>
  void Expect(bool holds, const std::string& path, const T& value, const std::string& expected) {
    if (!holds) lines_.push_back(fmt::format("config: {}: {}, expected {}", path, value, expected));
  }
  void Missing(const std::string& path, const std::string& expected);
  void InRange(const std::string& path, int64_t value, int64_t low, int64_t high);
  void AtLeast(const std::string& path, double value, double low);
  void Between(const std::string& path, double value, double low, double high);
  void Finite(const std::string& path, double value);
  /// In [0, 1), and in (0, 1).
  void Probability(const std::string& path, double value);
  void OpenFraction(const std::string& path, double value);
  void Regex(const std::string& path, const std::string& pattern);
  /// A file's path.
  void NotEmpty(const std::string& path, const std::string& value);
  /// Throws Error of one line for each fault, if there is any.
  void Throw() const;

 private:
  std::vector<std::string> lines_;
};

}  // namespace twofour::train
