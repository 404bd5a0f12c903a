#include "twofour/core/io/file_checksum.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <memory>
#include <span>
#include <vector>

#include "twofour/core/io/crc32c.h"

namespace twofour {

FileChecksum ChecksumOf(FileSystem& files, const std::filesystem::path& path) {
  constexpr uint64_t kPart = uint64_t{1} << 18;  // Stays in the second-level cache between reading and summing.
  const std::unique_ptr<ReadableFile> file = files.OpenFile(path, std::numeric_limits<uint64_t>::max());
  FileChecksum checksum{.bytes = file->size(), .crc32c = 0};
  std::vector<std::byte> buffer(std::min(kPart, file->size()));
  for (uint64_t offset = 0; offset < file->size(); offset += kPart) {
    const std::span<std::byte> part(buffer.data(), std::min(kPart, file->size() - offset));
    file->Read(offset, part);
    checksum.crc32c = Crc32c(part, checksum.crc32c);
  }
  return checksum;
}

}  // namespace twofour
