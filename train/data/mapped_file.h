#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

namespace twofour::train {

/// A file's bytes, read-only, as memory: the system reads pages as they are touched and may drop them again, so the
/// file may be larger than memory. Const functions may be called from several threads. The file must not be made
/// shorter while it is mapped: reading what is gone ends the process.
class MappedFile {
 public:
  /// Throws Error when the file is missing, unreadable, no regular file or empty.
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return bytes_; }
  /// As given to the constructor, for messages.
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  std::span<const std::byte> bytes_;
};

}  // namespace twofour::train
