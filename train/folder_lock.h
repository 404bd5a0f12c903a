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

  /// Lets others take the lock. Whoever removes the folder calls this first: network file systems keep an open file
  /// that is removed under another name, and its folder can then not be removed.
  void Drop() { lock_.reset(); }

  /// Takes a folder's lock if the lock file exists and nobody holds it, as in a folder that a killed process left.
  /// Otherwise, or if that cannot be found out, returns nothing.
  static std::optional<FolderLock> TakeAbandoned(FileSystem& files, const std::filesystem::path& folder);

 private:
  explicit FolderLock(std::unique_ptr<FileLock> lock) : lock_(std::move(lock)) {}

  std::unique_ptr<FileLock> lock_;
};

}  // namespace twofour::train
