#include "twofour/core/io/file_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>

#include "twofour/core/error.h"

namespace twofour {
namespace {

[[noreturn]] void Throw(const char* what, const std::filesystem::path& path, const std::string& reason) {
  throw Error(fmt::format("cannot {} {}: {}", what, path.string(), reason), ErrorKind::kRuntimeFailure);
}

/// Opens the file or directory to lock.
int Open(const std::filesystem::path& path, LockKind kind, MakeFile make) {
  constexpr mode_t kReadForAll = 0644;
  // Opened for writing, because NFS gives exclusive locks only then. Directories cannot be opened for writing. A reader
  // may have no right to write.
  const int access = kind == LockKind::kExclusive ? O_RDWR : O_RDONLY;
  const int create = make == MakeFile::kYes ? O_CREAT : 0;
  int descriptor = ::open(path.c_str(), access | create | O_CLOEXEC, kReadForAll);
  if (descriptor < 0 && errno == EISDIR) descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) Throw("open", path, std::generic_category().message(errno));
  return descriptor;
}

class PosixLock final : public FileLock {
 public:
  PosixLock(const std::filesystem::path& path, LockKind kind, MakeFile make) : descriptor_(Open(path, kind, make)) {}
  ~PosixLock() override {
    // The lock belongs to the open file, which child processes share. So closing it here would not drop the lock while
    // a child lives, and a child must not drop its parent's lock.
    if (owner_ == ::getpid()) ::flock(descriptor_, LOCK_UN);
    ::close(descriptor_);
  }

  /// Takes the lock, without waiting. Returns 0 or the errno that says why not.
  int Take(LockKind kind) const {
    const int operation = kind == LockKind::kShared ? LOCK_SH : LOCK_EX;
    return ::flock(descriptor_, operation | LOCK_NB) == 0 ? 0 : errno;
  }

  /// Whether `path` still names what was opened.
  bool IsAt(const std::filesystem::path& path) const {
    struct stat opened {};
    struct stat named {};
    return ::fstat(descriptor_, &opened) == 0 && ::stat(path.c_str(), &named) == 0 && opened.st_dev == named.st_dev &&
           opened.st_ino == named.st_ino;
  }

 private:
  int descriptor_;
  pid_t owner_ = ::getpid();
};

}  // namespace

namespace internal {

LockAttempt TryPosixLock(const std::filesystem::path& path, LockKind kind, MakeFile make,
                         const std::function<void()>& after_opening) {
  constexpr int kMaxTries = 100;
  for (int tries = 1;; ++tries) {
    auto lock = std::make_unique<PosixLock>(path, kind, make);
    if (after_opening) after_opening();
    const int error = lock->Take(kind);
    // A holder of the lock may have replaced the file since it was opened. The old file says nothing about the new one.
    if (tries < kMaxTries && (error == 0 || error == EWOULDBLOCK) && !lock->IsAt(path)) continue;
    switch (error) {
      case 0:
        return {LockResult::kTaken, std::move(lock)};
      case EWOULDBLOCK:
        return {LockResult::kHeldElsewhere, nullptr};
      // Lustre mounted without -o flock says ENOSYS, NFS without its lock service ENOLCK.
      case ENOSYS:
      case ENOLCK:
      case EOPNOTSUPP:
        return {LockResult::kUnsupported, nullptr};
      default:
        Throw("lock", path, std::generic_category().message(error));
    }
  }
}

}  // namespace internal
}  // namespace twofour
