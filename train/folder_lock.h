#pragma once

#include <filesystem>
#include <memory>

#include "twofour/core/io/file_system.h"

namespace twofour::train {

/// The lock of a run's folder, which the kernel drops when this process ends, however it ends. It goes along when the
/// folder is renamed.
class FolderLock {
 public:
  static constexpr const char* kFile = ".lock";

  /// Throws Error when another process holds it or it cannot be made.
  FolderLock(FileSystem& files, const std::filesystem::path& folder);

  /// False where the file system has no locks, so that nobody is kept out.
  bool supported() const { return lock_ != nullptr; }

  /// Whether the folder has a lock that nobody holds, as far as that can be told.
  static bool IsAbandoned(FileSystem& files, const std::filesystem::path& folder);

 private:
  std::unique_ptr<FileLock> lock_;
};

}  // namespace twofour::train
