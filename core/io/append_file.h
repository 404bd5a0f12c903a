#pragma once

#include <filesystem>
#include <string_view>

namespace twofour {

/// A file to which records are appended. It always holds whole records, except for one that a kill has torn: where a
/// write fails in the middle of a record (the disk is full, or a limit is reached), what was written of it is removed
/// again.
class AppendFile {
 public:
  /// Opens for appending; makes the file where there is none. Throws Error (a runtime failure) when it cannot.
  explicit AppendFile(const std::filesystem::path& path);
  ~AppendFile();
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;

  /// Hands a record to the operating system at once, so that no later kill of this process loses it. Throws Error (a
  /// runtime failure) when it cannot be written.
  void Append(std::string_view record);

 private:
  std::filesystem::path path_;
  int descriptor_;
};

}  // namespace twofour
