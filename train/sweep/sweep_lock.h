#pragma once

#include <filesystem>

namespace twofour::train {

/// Holds a sweep's folder: two sweeps in one would start each run twice. The kernel lets go of it when this process
/// ends, however it ends.
class SweepLock {
 public:
  /// Throws Error when another process holds it, or there is no such folder.
  explicit SweepLock(const std::filesystem::path& folder);
  ~SweepLock();
  /// Whether another process holds it.
  static bool IsHeld(const std::filesystem::path& folder);
  SweepLock(const SweepLock&) = delete;
  SweepLock& operator=(const SweepLock&) = delete;

 private:
  int descriptor_;
};

}  // namespace twofour::train
