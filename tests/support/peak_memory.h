#pragma once

#include <cstdint>
#include <fstream>
#include <functional>
#include <optional>
#include <string>

namespace twofour::test {

/// A line of /proc/self/status in bytes: "VmRSS" is the memory in use, "VmHWM" its peak. Nothing where there is none.
inline std::optional<int64_t> MemoryStatus(const std::string& name) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(name + ":")) return std::stoll(line.substr(name.size() + 1)) * 1024;
  }
  return std::nullopt;
}

/// By how many bytes the memory that the process uses grew, at its peak, while `run` ran. Nothing where the system does
/// not count that; `run` ran nevertheless.
inline std::optional<int64_t> PeakGrowth(const std::function<void()>& run) {
  const bool reset = static_cast<bool>(std::ofstream("/proc/self/clear_refs") << "5" << std::flush);
  const std::optional<int64_t> before = MemoryStatus("VmRSS");
  run();
  const std::optional<int64_t> peak = MemoryStatus("VmHWM");
  if (!reset || !before || !peak) return std::nullopt;
  return *peak - *before;
}

}  // namespace twofour::test
