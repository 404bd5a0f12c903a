#pragma once

#include <filesystem>
#include <memory>
#include <string_view>

namespace twofour {

/// A file that is open for appending records (see FileSystem::OpenForAppending). It holds whole records at any time,
/// except for one that a kill has torn: where the disk is full, or a limit or a fault is met in the middle of a record,
/// what was written of it is taken back.
class AppendFile {
 public:
  AppendFile() = default;
  virtual ~AppendFile() = default;
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;

  /// Hands a record to the operating system at once: no kill of this process loses it afterwards. Throws Error
  /// (a runtime failure) when it cannot be written.
  virtual void Append(std::string_view record) = 0;
};

namespace internal {

/// FileSystem::OpenForAppending of the machine's own file system.
std::unique_ptr<AppendFile> OpenPosixForAppending(const std::filesystem::path& path);

}  // namespace internal
}  // namespace twofour
