#include "twofour/core/io/file_checksum.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <span>
#include <string>
#include <system_error>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/io/crc32c.h"

namespace twofour {
namespace {

constexpr size_t kPart = size_t{1} << 18;  // Stays in the second-level cache between reading and summing.

/// Empty on success, or why the file cannot be read.
std::string Read(int fd, FileChecksum& checksum) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return std::generic_category().message(errno);
  if (S_ISDIR(status.st_mode)) return std::generic_category().message(EISDIR);
  if (!S_ISREG(status.st_mode)) return "it is not a regular file";
  std::vector<std::byte> part(kPart);
  for (;;) {
    const ssize_t count = ::read(fd, part.data(), part.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return std::generic_category().message(errno);
    if (count == 0) return "";
    const std::span<const std::byte> read(part.data(), static_cast<size_t>(count));
    checksum.crc32c = Crc32c(read, checksum.crc32c);
    checksum.bytes += read.size();
  }
}

}  // namespace

FileChecksum ChecksumOf(const std::filesystem::path& path) {
  FileChecksum checksum;
  // Without O_NONBLOCK opening a named pipe would wait for a writer, perhaps for ever.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  const std::string fault = fd < 0 ? std::generic_category().message(errno) : Read(fd, checksum);
  if (fd >= 0) ::close(fd);  // Only read from, so close() has nothing to report.
  if (!fault.empty()) throw Error(fmt::format("cannot read {}: {}", path.string(), fault));
  return checksum;
}

}  // namespace twofour
