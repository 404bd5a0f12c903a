#pragma once

#include <filesystem>
#include <functional>
#include <memory>

namespace twofour {

enum class LockKind { kExclusive, kShared };
enum class LockResult {
  kTaken,
  kHeldElsewhere,
  kUnsupported,  ///< This file system has no locks.
};
/// Whether to make the file to lock if it does not exist.
enum class MakeFile { kNo, kYes };

/// A lock on a file or a directory (see FileSystem::TryLock). It is held as long as this object lives in the process
/// that took it. Child processes neither keep nor drop it. If the process is killed, the kernel drops it once its
/// children have ended, too. It stays with the file or directory when that is renamed.
class FileLock {
 public:
  FileLock() = default;
  virtual ~FileLock() = default;
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
};

struct LockAttempt {
  LockResult result = LockResult::kUnsupported;
  std::unique_ptr<FileLock> lock;  ///< Null unless the lock was taken.
};

namespace internal {

/// FileSystem::TryLock for the machine's own file system. If the name stands for another file than the one that was
/// opened, tries again. The last of many tries counts all the same, because some file systems number one file
/// differently each time. Tests pass `after_opening`, which is called each time between opening and locking.
LockAttempt TryPosixLock(const std::filesystem::path& path, LockKind kind, MakeFile make,
                         const std::function<void()>& after_opening = {});

}  // namespace internal
}  // namespace twofour
