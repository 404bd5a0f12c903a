#pragma once

#include <cstdint>
#include <filesystem>

#include "twofour/core/io/file_system.h"

namespace twofour {

/// What a file holds, in a few bytes: files that differ here hold different things.
struct FileChecksum {
  uint64_t bytes = 0;
  uint32_t crc32c = 0;

  bool operator==(const FileChecksum&) const = default;
};

/// Reads a regular file once from beginning to end, in parts, so that it may be larger than memory. Throws Error when
/// it is missing, unreadable or no regular file, or becomes shorter meanwhile.
FileChecksum ChecksumOf(FileSystem& files, const std::filesystem::path& path);

}  // namespace twofour
