#include "twofour/core/io/file_system.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <limits>
#include <new>
#include <string_view>
#include <system_error>

#include "twofour/core/error.h"
#include "twofour/core/never_destroyed.h"

namespace twofour {
namespace {

using Path = FileSystem::Path;
using Pieces = FileSystem::Pieces;

std::string ReasonOf(int error) { return std::generic_category().message(error); }

/// `what` continues a sentence that begins with "cannot", such as "write".
[[noreturn]] void ThrowReading(std::string_view what, const Path& path, std::string_view reason) {
  throw Error(fmt::format("cannot {} {}: {}", what, path.string(), reason), ErrorKind::kInvalidInput);
}
[[noreturn]] void ThrowWriting(std::string_view what, const Path& path, std::string_view reason) {
  throw Error(fmt::format("cannot {} {}: {}", what, path.string(), reason), ErrorKind::kRuntimeFailure);
}

/// Closes a descriptor that was only read from, so that close() has nothing to report.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

/// open(2), repeated while signals interrupt it.
int Open(const Path& path, int flags) {
  constexpr mode_t kReadWriteForAll = 0666;  // The umask takes some of these away.
  int fd = -1;
  do {
    fd = ::open(path.c_str(), flags | O_CLOEXEC, kReadWriteForAll);
  } while (fd < 0 && errno == EINTR);
  return fd;
}

/// Returns 0 or the errno of the write that failed.
int WriteAll(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    if (written == 0) return EIO;
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return 0;
}

int SyncDescriptor(int fd) {
  while (::fsync(fd) != 0) {
    if (errno == EINVAL) return 0;  // Pipes, devices and some network file systems have nothing to sync.
    if (errno != EINTR) return errno;
  }
  return 0;
}

bool IsRegularFile(int fd) {
  struct stat status {};
  return ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

Path ParentOf(const Path& path) { return path.has_parent_path() ? path.parent_path() : Path("."); }

class PosixFileSystem final : public FileSystem {
 public:
  void CreateDirectories(const Path& path) override {
    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (error) ThrowWriting("create directory", path, error.message());
    // A link to a directory is fine; anything else of this name is not.
    if (!std::filesystem::is_directory(path, error)) {
      ThrowWriting("create directory", path, ReasonOf(ENOTDIR));
    }
  }

  void WriteFile(const Path& path, Pieces pieces) override {
    const int fd = Open(path, O_WRONLY | O_CREAT | O_TRUNC);
    if (fd < 0) ThrowWriting("create", path, ReasonOf(errno));
    int error = 0;
    for (size_t i = 0; i < pieces.size() && error == 0; ++i) error = WriteAll(fd, pieces[i]);
    if (error == 0) error = SyncDescriptor(fd);
    const bool is_regular = IsRegularFile(fd);
    // Linux has closed the descriptor even when close() reports EINTR, and all data was synced before.
    if (::close(fd) != 0 && errno != EINTR && error == 0) error = errno;
    if (error != 0) {
      if (is_regular) ::unlink(path.c_str());  // Do not remove a device such as /dev/full.
      ThrowWriting("write", path, ReasonOf(error));
    }
  }

  void Rename(const Path& from, const Path& to) override {
    if (std::rename(from.c_str(), to.c_str()) != 0) {
      const int error = errno;
      ThrowWriting(fmt::format("rename {} to", from.string()), to, ReasonOf(error));
    }
    SyncRename(from, to);
  }

  bool Exchange(const Path& one, const Path& other) override {
    if (::renameat2(AT_FDCWD, one.c_str(), AT_FDCWD, other.c_str(), RENAME_EXCHANGE) != 0) {
      const int error = errno;
      // EINVAL: this file system has no such operation; ENOSYS: this kernel or sandbox has none; EXDEV: an overlay does
      // not rename directories of its lower layers.
      if (error == EINVAL || error == ENOSYS || error == EXDEV) return false;
      ThrowWriting(fmt::format("exchange {} with", one.string()), other, ReasonOf(error));
    }
    SyncDirectory(ParentOf(one));
    if (ParentOf(one) != ParentOf(other)) SyncDirectory(ParentOf(other));
    return true;
  }

  bool RenameDirectory(const Path& from, const Path& to) override {
    if (std::rename(from.c_str(), to.c_str()) != 0) {
      const int error = errno;
      if (error == EXDEV) return false;
      ThrowWriting(fmt::format("rename {} to", from.string()), to, ReasonOf(error));
    }
    SyncRename(from, to);
    return true;
  }

  bool CanGiveAway(const Path& directory) override {
    std::error_code error;
    const Path path = std::filesystem::canonical(directory, error);
    if (error) return true;  // A later attempt to rename it will report the error.
    if (path == path.root_path()) return false;
    struct statx status {};
    if (::statx(AT_FDCWD, path.c_str(), 0, 0, &status) == 0 &&
        (status.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) != 0) {
      if ((status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0) return false;
    } else {  // A kernel before 5.8, where only the device shows a mount point.
      struct stat own {};
      struct stat parent {};
      if (::stat(path.c_str(), &own) == 0 && ::stat(ParentOf(path).c_str(), &parent) == 0 &&
          own.st_dev != parent.st_dev) {
        return false;
      }
    }
    return ::faccessat(AT_FDCWD, ParentOf(path).c_str(), W_OK | X_OK, AT_EACCESS) == 0;
  }

  void SyncDirectory(const Path& path) override {
    const Descriptor fd(Open(path, O_RDONLY | O_DIRECTORY));
    if (fd.get() < 0) ThrowWriting("open directory", path, ReasonOf(errno));
    if (const int error = SyncDescriptor(fd.get())) ThrowWriting("sync directory", path, ReasonOf(error));
  }

  void RemoveAll(const Path& path) override {
    std::error_code error;
    std::filesystem::remove_all(path, error);
    if (error) ThrowWriting("remove", path, error.message());
  }

  bool ReplaceSymlink(const Path& link, const Path& target) override {
    const Path temporary = TemporaryPathFor(link);
    ::unlink(temporary.c_str());  // Left behind by a killed process that had our process number.
    if (::symlink(target.c_str(), temporary.c_str()) != 0) {
      const int error = errno;
      // FAT says EPERM, network and user-space file systems one of the others.
      if (error == EPERM || error == ENOSYS || error == EOPNOTSUPP) return false;
      ThrowWriting("create symbolic link", temporary, ReasonOf(error));
    }
    try {
      Rename(temporary, link);
    } catch (...) {
      ::unlink(temporary.c_str());
      throw;
    }
    return true;
  }

  bool Exists(const Path& path) override {
    struct stat status {};
    if (::stat(path.c_str(), &status) == 0) return true;
    if (errno == ENOENT || errno == ENOTDIR) return false;
    ThrowReading("look up", path, ReasonOf(errno));
  }

  std::vector<std::string> ListDirectory(const Path& path) override {
    std::vector<std::string> names;
    std::error_code error;
    std::filesystem::directory_iterator entry(path, error);
    for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
      names.push_back(entry->path().filename().string());
    }
    if (error) ThrowReading("list directory", path, error.message());
    std::sort(names.begin(), names.end());
    return names;
  }

  std::unique_ptr<ReadableFile> OpenFile(const Path& path, uint64_t max_bytes) override {
    return internal::OpenPosixFile(path, max_bytes);
  }

  std::unique_ptr<AppendFile> OpenForAppending(const Path& path) override {
    return internal::OpenPosixForAppending(path);
  }

  LockAttempt TryLock(const Path& path, LockKind kind, MakeFile make) override {
    return internal::TryPosixLock(path, kind, make);
  }

 private:
  void SyncRename(const Path& from, const Path& to) {
    SyncDirectory(ParentOf(to));
    if (ParentOf(from) != ParentOf(to)) SyncDirectory(ParentOf(from));
  }
};

}  // namespace

FileSystem& FileSystem::Default() {
  static NeverDestroyed<PosixFileSystem> file_system;
  return *file_system;
}

std::vector<std::byte> FileSystem::ReadFile(const Path& path, uint64_t max_bytes) {
  const std::unique_ptr<ReadableFile> file = OpenFile(path, max_bytes);
  std::vector<std::byte> bytes;
  try {
    bytes.resize(file->size());
  } catch (const std::exception&) {  // bad_alloc or length_error.
    throw Error(fmt::format("cannot read {}: no memory for its {} bytes", path.string(), file->size()),
                ErrorKind::kRuntimeFailure);
  }
  file->Read(0, bytes);
  return bytes;
}

Path TemporaryPathFor(const Path& path) {
  return ParentOf(path) / fmt::format(".{}.tmp-{}", path.filename().string(), ::getpid());
}

void RemoveAfterFailure(FileSystem& file_system, const Path& path) noexcept {
  try {
    file_system.RemoveAll(path);
  } catch (...) {  // It must not take the place of the failure that is being reported.
  }
}

bool IsTemporaryName(std::string_view name) {
  return name.starts_with('.') && name.find(".tmp-", 1) != std::string_view::npos;
}

void WriteFileAtomically(FileSystem& file_system, const Path& path, Pieces pieces) {
  if (!path.has_filename()) {
    throw Error(fmt::format("cannot write '{}': expected the name of a file", path.string()));
  }
  const Path temporary = TemporaryPathFor(path);
  try {
    file_system.WriteFile(temporary, pieces);
    file_system.Rename(temporary, path);
  } catch (...) {
    RemoveAfterFailure(file_system, temporary);
    throw;
  }
}

}  // namespace twofour
