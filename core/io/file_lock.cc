#include "twofour/core/io/file_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "twofour/core/error.h"

namespace twofour {
namespace {

[[noreturn]] void Throw(const char* what, const std::filesystem::path& path, int error) {
  throw Error(fmt::format("cannot {} {}: {}", what, path.string(), std::generic_category().message(error)),
              ErrorKind::kRuntimeFailure);
}

class PosixLock final : public FileLock {
 public:
  /// Opens the file or directory to lock.
  PosixLock(const std::filesystem::path& path, MakeFile make) {
    constexpr mode_t kReadForAll = 0644;
    // Opened for writing, because NFS gives exclusive locks only then. Directories cannot be opened for writing.
    const int create = make == MakeFile::kYes ? O_CREAT : 0;
    descriptor_ = ::open(path.c_str(), O_RDWR | create | O_CLOEXEC, kReadForAll);
    if (descriptor_ < 0 && errno == EISDIR) descriptor_ = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor_ < 0) Throw("open", path, errno);
  }
  ~PosixLock() override { ::close(descriptor_); }

  /// Takes the lock, without waiting. Returns 0 or the errno that says why not.
  int Take(LockKind kind) const {
    const int operation = kind == LockKind::kShared ? LOCK_SH : LOCK_EX;
    return ::flock(descriptor_, operation | LOCK_NB) == 0 ? 0 : errno;
  }

 private:
  int descriptor_;
};

}  // namespace

namespace internal {

LockAttempt TryPosixLock(const std::filesystem::path& path, LockKind kind, MakeFile make) {
  auto lock = std::make_unique<PosixLock>(path, make);
  switch (const int error = lock->Take(kind)) {
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
      Throw("lock", path, error);
  }
}

}  // namespace internal
}  // namespace twofour
