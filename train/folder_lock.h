#pragma once

#include <filesystem>
#include <utility>

#include "twofour/core/io/file_system.h"

namespace twofour::train {

/// The lock of a run's folder. The kernel drops it when this process ends, however it ends. It stays when the folder is
/// renamed.
class FolderLock {
 public:
  static constexpr const char* kFile = ".lock";

  /// Throws Error when another process holds it or it cannot be made.
  FolderLock(FileSystem& files, const std::filesystem::path& folder);
  ~FolderLock();
  FolderLock(FolderLock&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, -1)), supported_(other.supported_) {}
  FolderLock& operator=(FolderLock&&) = delete;

  /// False where the file system has no locks, so that other processes are not kept out.
  bool supported() const { return supported_; }

  /// Whether the folder has a lock that nobody holds. False where this cannot be found out.
  static bool IsAbandoned(FileSystem& files, const std::filesystem::path& folder);

 private:
  int descriptor_;
  bool supported_ = true;
};

}  // namespace twofour::train
