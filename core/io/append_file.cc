#include "twofour/core/io/append_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>

#include "twofour/core/error.h"

namespace twofour {
namespace {

/// `what` continues a sentence that begins with "cannot".
[[noreturn]] void Throw(const std::string& what, int error) {
  throw Error(fmt::format("cannot {}: {}", what, std::generic_category().message(error)), ErrorKind::kRuntimeFailure);
}

/// Returns 0 or the errno of the write that failed.
int WriteAll(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    if (written == 0) return EIO;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return 0;
}

/// Where the next record will begin; -1 for something without a size, such as a device.
off_t EndOf(int descriptor) {
  struct stat status {};
  return ::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) ? status.st_size : -1;
}

class PosixAppendFile final : public AppendFile {
 public:
  explicit PosixAppendFile(const std::filesystem::path& path) : path_(path) {
    do {
      descriptor_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    } while (descriptor_ < 0 && errno == EINTR);
    if (descriptor_ < 0) Throw(fmt::format("open {} for appending", path.string()), errno);
  }
  ~PosixAppendFile() override { ::close(descriptor_); }

  void Append(std::string_view record) override {
    const off_t end = EndOf(descriptor_);
    const int error = WriteAll(descriptor_, record);
    if (error == 0) return;
    // Best effort: readers drop a torn last record, too.
    if (end >= 0) [[maybe_unused]]
      const int taken_back = ::ftruncate(descriptor_, end);
    Throw("write to " + path_.string(), error);
  }

  void Sync() override {
    if (::fsync(descriptor_) != 0) Throw("write to " + path_.string(), errno);
  }

 private:
  std::filesystem::path path_;
  int descriptor_;
};

}  // namespace

namespace internal {

std::unique_ptr<AppendFile> OpenPosixForAppending(const std::filesystem::path& path) {
  return std::make_unique<PosixAppendFile>(path);
}

}  // namespace internal
}  // namespace twofour
