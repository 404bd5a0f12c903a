#include "twofour/core/io/readable_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <string>
#include <string_view>
#include <system_error>

#include "twofour/core/error.h"

namespace twofour {
namespace {

class PosixFile final : public ReadableFile {
 public:
  PosixFile(const std::filesystem::path& path, uint64_t max_bytes) : path_(path.string()), descriptor_(Open(path)) {
    try {
      if (descriptor_ < 0) FailWith(errno);
      size_ = CheckedSize(max_bytes);
    } catch (...) {
      Close();
      throw;
    }
  }
  ~PosixFile() override { Close(); }

  uint64_t size() const override { return size_; }

  void Read(uint64_t offset, std::span<std::byte> out) const override {
    assert(offset <= size_ && out.size() <= size_ - offset);
    while (!out.empty()) {
      const ssize_t count = ::pread(descriptor_, out.data(), out.size(), static_cast<off_t>(offset));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) FailWith(errno);
      if (count == 0) Fail("it became shorter while it was being read");
      offset += static_cast<uint64_t>(count);
      out = out.subspan(static_cast<size_t>(count));
    }
  }

 private:
  /// open(2), repeated while signals interrupt it.
  static int Open(const std::filesystem::path& path) {
    int descriptor = -1;
    do {
      // Without O_NONBLOCK opening a named pipe would wait for a writer, perhaps for ever.
      descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    } while (descriptor < 0 && errno == EINTR);
    return descriptor;
  }

  uint64_t CheckedSize(uint64_t max_bytes) const {
    struct stat status {};
    if (::fstat(descriptor_, &status) != 0) FailWith(errno);
    if (S_ISDIR(status.st_mode)) FailWith(EISDIR);
    if (!S_ISREG(status.st_mode)) Fail("it is not a regular file");
    const auto size = static_cast<uint64_t>(status.st_size);
    if (size > max_bytes) Fail(fmt::format("it holds {} bytes, expected at most {}", size, max_bytes));
    return size;
  }

  void Close() {
    if (descriptor_ >= 0) ::close(descriptor_);  // Only read from, so close() has nothing to report.
  }

  [[noreturn]] void Fail(std::string_view reason) const {
    throw Error(fmt::format("cannot read {}: {}", path_, reason), ErrorKind::kInvalidInput);
  }
  [[noreturn]] void FailWith(int error) const { Fail(std::generic_category().message(error)); }

  std::string path_;
  int descriptor_;
  uint64_t size_ = 0;
};

}  // namespace

void BytesAsFile::Read(uint64_t offset, std::span<std::byte> out) const {
  assert(offset <= bytes_.size() && out.size() <= bytes_.size() - offset);
  std::copy_n(bytes_.begin() + static_cast<ptrdiff_t>(offset), out.size(), out.begin());
}

namespace internal {

std::unique_ptr<ReadableFile> OpenPosixFile(const std::filesystem::path& path, uint64_t max_bytes) {
  return std::make_unique<PosixFile>(path, max_bytes);
}

}  // namespace internal
}  // namespace twofour
