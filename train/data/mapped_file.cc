#include "twofour/train/data/mapped_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <system_error>

#include "twofour/core/error.h"

namespace twofour::train {
namespace {

[[noreturn]] void ThrowReading(const std::string& path, std::string_view reason) {
  throw Error(fmt::format("cannot read {}: {}", path, reason));
}

std::string ReasonOf(int error) { return std::generic_category().message(error); }

/// Why a file of this status cannot be mapped; empty when it can.
std::string FaultOf(const struct stat& status) {
  if (S_ISDIR(status.st_mode)) return ReasonOf(EISDIR);
  if (!S_ISREG(status.st_mode)) return "it is not a regular file";
  if (status.st_size == 0) return "it is empty";
  return "";
}

}  // namespace

MappedFile::MappedFile(const std::filesystem::path& path) : path_(path.string()) {
  // Without O_NONBLOCK opening a named pipe would wait for a writer, perhaps for ever.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) ThrowReading(path_, ReasonOf(errno));
  struct stat status {};
  std::string fault = ::fstat(fd, &status) != 0 ? ReasonOf(errno) : FaultOf(status);
  if (fault.empty()) {
    const auto size = static_cast<size_t>(status.st_size);
    void* mapped = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (mapped == MAP_FAILED) {
      fault = ReasonOf(errno);
    } else {
      bytes_ = {static_cast<const std::byte*>(mapped), size};
    }
  }
  ::close(fd);  // The mapping keeps the file.
  if (!fault.empty()) ThrowReading(path_, fault);
}

MappedFile::~MappedFile() { ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size()); }

}  // namespace twofour::train
