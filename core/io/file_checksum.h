#pragma once

#include <cstdint>
#include <filesystem>

#include "twofour/core/io/file_system.h"

namespace twofour {

/// Stands for a file's contents in a few bytes. Files with different checksums have different contents.
struct FileChecksum {
  uint64_t bytes = 0;
  uint32_t crc32c = 0;

  bool operator==(const FileChecksum&) const = default;
};

/// Reads a regular file once from beginning to end, in parts, so that it may be larger than memory. Throws Error when
/// it is missing, unreadable or no regular file, or becomes shorter meanwhile.
FileChecksum ChecksumOf(FileSystem& files, const std::filesystem::path& path);

}  // namespace twofour
