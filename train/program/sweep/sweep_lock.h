#pragma once

#include <filesystem>
#include <memory>

#include "twofour/core/io/file_system.h"

namespace twofour::train {

/// Holds a sweep's folder: two sweeps in one would start each run twice. The kernel lets go of it when this process
/// ends, however it ends.
class SweepLock {
 public:
  /// Throws Error when another process holds it, or there is no such folder.
  SweepLock(FileSystem& files, const std::filesystem::path& folder);
  /// False where the file system has no locks, so that nobody is kept out.
  bool supported() const { return lock_ != nullptr; }
  /// Whether another process holds it, as far as that can be told.
  static bool IsHeld(FileSystem& files, const std::filesystem::path& folder);

 private:
  std::unique_ptr<FileLock> lock_;
};

}  // namespace twofour::train
