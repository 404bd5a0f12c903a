#pragma once

#include <filesystem>
#include <memory>

#include "twofour/core/io/file_system.h"

namespace twofour::train {

/// Locks a sweep's folder, because two sweeps in one folder would start each run twice. The kernel releases the lock
/// when this process ends, however it ends.
class SweepLock {
 public:
  /// Throws Error if another process holds the lock, or if there is no such folder.
  SweepLock(FileSystem& files, const std::filesystem::path& folder);
  /// False if the file system has no locks, so that nobody is kept out.
  bool supported() const { return lock_ != nullptr; }
  /// Whether another process holds the lock, as far as that can be told.
  static bool IsHeld(FileSystem& files, const std::filesystem::path& folder);

 private:
  std::unique_ptr<FileLock> lock_;
};

}  // namespace twofour::train
