#pragma once

#include <filesystem>
#include <memory>
#include <optional>
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

  /// False where the file system has no locks, so that other processes are not kept out.
  bool supported() const { return lock_ != nullptr; }

  /// Takes the lock of a folder that has one which nobody holds, such as one that a killed process left. Nothing where
  /// there is none, or where this cannot be found out.
  static std::optional<FolderLock> TakeAbandoned(FileSystem& files, const std::filesystem::path& folder);

 private:
  explicit FolderLock(std::unique_ptr<FileLock> lock) : lock_(std::move(lock)) {}

  std::unique_ptr<FileLock> lock_;
};

}  // namespace twofour::train
