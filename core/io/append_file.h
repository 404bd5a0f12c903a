#pragma once

#include <filesystem>
#include <string_view>

namespace twofour {

/// A file that records are appended to. It holds whole records at any time, but for one that a kill has torn: where the
/// disk is full, or a limit or a fault is met in the middle of a record, what was written of it is taken back.
class AppendFile {
 public:
  /// Opens for appending; makes the file where there is none. Throws Error (a runtime failure) when it cannot.
  explicit AppendFile(const std::filesystem::path& path);
  ~AppendFile();
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;

  /// Hands a record to the operating system at once: no kill of this process loses it afterwards. Throws Error
  /// (a runtime failure) when it cannot be written.
  void Append(std::string_view record);

 private:
  std::filesystem::path path_;
  int descriptor_;
};

}  // namespace twofour
