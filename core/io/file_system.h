#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "twofour/core/io/append_file.h"
#include "twofour/core/io/file_lock.h"
#include "twofour/core/io/readable_file.h"

namespace twofour {

/// The file operations that checkpoints, logs and data sets need, behind an interface so that tests can make them
/// fail. A path that is missing or cannot be read is ErrorKind::kInvalidInput; a failed write is
/// ErrorKind::kRuntimeFailure. Messages name the operation, the path and the system's reason.
class FileSystem {
 public:
  using Path = std::filesystem::path;
  /// Consecutive parts of one file, so that a header and large arrays are written without joining them in memory.
  using Pieces = std::span<const std::span<const std::byte>>;

  FileSystem() = default;
  virtual ~FileSystem() = default;
  FileSystem(const FileSystem&) = delete;
  FileSystem& operator=(const FileSystem&) = delete;

  /// The machine's own (POSIX) file system.
  static FileSystem& Default();

  /// Makes a directory and its missing parents; one that is already there is fine.
  virtual void CreateDirectories(const Path& path) = 0;
  /// Creates or truncates a file, writes all pieces and waits until they are on the disk. A reader can see the file
  /// half written: see WriteFileAtomically. On failure the partial file is removed.
  virtual void WriteFile(const Path& path, Pieces pieces) = 0;
  /// Atomically renames, replacing `to` if it is there, and waits until the change is on the disk.
  virtual void Rename(const Path& from, const Path& to) = 0;
  /// Swaps what two names stand for in one step, so that neither is missing at any moment, and waits until the change
  /// is on the disk. Returns false, and changes nothing, where the file system cannot do so.
  virtual bool Exchange(const Path& one, const Path& other) = 0;
  /// Like Rename, for a directory and a name that is free. Returns false, and changes nothing, where the file system
  /// can rename files only. An example is a directory in a lower layer of an overlay, such as a container's image. See
  /// MoveDirectory.
  virtual bool RenameDirectory(const Path& from, const Path& to) = 0;
  /// Whether this existing directory can be renamed, so that another one can take its name. False for a mount point,
  /// and in a parent that may not be written to.
  virtual bool CanGiveAway(const Path& directory) = 0;
  /// Waits until the names in a directory (not the files' contents) are on the disk.
  virtual void SyncDirectory(const Path& path) = 0;
  /// Removes a file, a link (not what it points to) or a directory with all it holds. A missing path is fine.
  virtual void RemoveAll(const Path& path) = 0;
  /// Makes `link` a symbolic link to `target`, atomically replacing a file or link that has this name. Returns false,
  /// and changes nothing, where the file system has no links.
  virtual bool ReplaceSymlink(const Path& link, const Path& target) = 0;

  /// True when the path, or what a link there points to, exists.
  virtual bool Exists(const Path& path) = 0;
  /// Names in a directory, without "." and "..", sorted bytewise.
  virtual std::vector<std::string> ListDirectory(const Path& path) = 0;
  /// Opens a regular file for reading. A file of more than `max_bytes` is an Error.
  virtual std::unique_ptr<ReadableFile> OpenFile(const Path& path, uint64_t max_bytes) = 0;
  /// The contents of a regular file that is small. A file of more than `max_bytes` is an Error, thrown before anything
  /// is allocated.
  std::vector<std::byte> ReadFile(const Path& path, uint64_t max_bytes);

  /// Opens a file for appending, and makes it where there is none.
  virtual std::unique_ptr<AppendFile> OpenForAppending(const Path& path) = 0;
  /// Locks the file or directory that has this name when the lock is taken, or says at once why not. One that cannot be
  /// opened is ErrorKind::kRuntimeFailure.
  virtual LockAttempt TryLock(const Path& path, LockKind kind, MakeFile make = MakeFile::kNo) = 0;
};

/// Writes a file so that readers, and a machine that loses power, see either the previous contents or the new ones,
/// never a mixture: writes ".NAME.tmp-PID" beside it, then renames. On failure the previous file is untouched and
/// the temporary file is removed. Throws Error.
void WriteFileAtomically(FileSystem& file_system, const std::filesystem::path& path, FileSystem::Pieces pieces);

/// Removes what a failed operation left behind. Ignores failures, because the first failure is the one to report.
void RemoveAfterFailure(FileSystem& file_system, const std::filesystem::path& path) noexcept;

/// The name of the temporary file that WriteFileAtomically and ReplaceSymlink use for `path` in this process.
std::filesystem::path TemporaryPathFor(const std::filesystem::path& path);
/// Whether a name in a directory looks like such a temporary file's, of any process.
bool IsTemporaryName(std::string_view name);

}  // namespace twofour
