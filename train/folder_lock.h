#pragma once

#include <filesystem>
#include <memory>

#include "twofour/core/io/file_system.h"

namespace twofour::train {

/// The lock of a run's folder. The kernel drops it when this process ends, however it ends. It stays when the folder is
/// renamed.
class FolderLock {
 public:
  static constexpr const char* kFile = ".lock";

  /// Throws Error when another process holds it or it cannot be made.
  FolderLock(FileSystem& files, const std::filesystem::path& folder);

  /// False where the file system has no locks, so that other processes are not kept out.
  bool supported() const { return lock_ != nullptr; }

  /// Whether the folder has a lock that nobody holds. False where this cannot be found out.
  static bool IsAbandoned(FileSystem& files, const std::filesystem::path& folder);

 private:
  std::unique_ptr<FileLock> lock_;
};

}  // namespace twofour::train
