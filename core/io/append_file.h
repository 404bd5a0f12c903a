#pragma once

#include <filesystem>
#include <memory>
#include <string_view>

namespace twofour {

/// A file that is open for appending records (see FileSystem::OpenForAppending). It always holds whole records, except
/// for one that a kill has torn: where a write fails in the middle of a record (the disk is full, or a limit is
/// reached), what was written of it is removed again.
class AppendFile {
 public:
  AppendFile() = default;
  virtual ~AppendFile() = default;
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;

  /// Hands a record to the operating system at once, so that no later kill of this process loses it. Throws Error (a
  /// runtime failure) when it cannot be written.
  virtual void Append(std::string_view record) = 0;
  /// Waits until all that was appended is on the disk. Throws Error (a runtime failure) when that fails.
  virtual void Sync() {}
};

namespace internal {

/// FileSystem::OpenForAppending of the machine's own file system.
std::unique_ptr<AppendFile> OpenPosixForAppending(const std::filesystem::path& path);

}  // namespace internal
}  // namespace twofour
