#include "twofour/core/io/random_access_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cassert>
#include <cerrno>
#include <iterator>
#include <string_view>
#include <system_error>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/io/crc32c.h"

namespace twofour {
namespace {

constexpr int64_t kSamples = 64, kSampleBytes = 16 << 10;

std::string ReasonOf(int error) { return std::generic_category().message(error); }

/// Why a file of this status cannot be read in parts; empty when it can.
std::string FaultOf(const struct stat& status) {
  if (S_ISDIR(status.st_mode)) return ReasonOf(EISDIR);
  if (!S_ISREG(status.st_mode)) return "it is not a regular file";
  if (status.st_size == 0) return "it is empty";
  return "";
}

bool Same(const timespec& a, const timespec& b) { return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec; }

}  // namespace

bool RandomAccessFile::Stamp::operator==(const Stamp& other) const {
  return size == other.size && Same(modified, other.modified) && Same(changed, other.changed);
}

RandomAccessFile::RandomAccessFile(const std::filesystem::path& path, ReadFunction read)
    : path_(path.string()), read_(read) {
  do {
    // Without O_NONBLOCK opening a named pipe would wait for a writer, perhaps for ever.
    descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  } while (descriptor_ < 0 && errno == EINTR);
  std::string fault;
  struct stat status {};
  if (descriptor_ < 0 || ::fstat(descriptor_, &status) != 0) {
    fault = ReasonOf(errno);
  } else {
    fault = FaultOf(status);
  }
  try {
    if (!fault.empty()) throw Error(fmt::format("cannot read {}: {}", path_, fault));
    size_ = status.st_size;
    // The stamp is read first. A write while the samples are read then shows as another stamp.
    stamp_ = ReadStamp();
    fingerprint_ = Fingerprint();
  } catch (...) {
    if (descriptor_ >= 0) ::close(descriptor_);
    throw;
  }
}

RandomAccessFile::~RandomAccessFile() { ::close(descriptor_); }

void RandomAccessFile::Read(int64_t offset, std::span<std::byte> out) const {
  assert(offset >= 0 && std::ssize(out) <= size_ - offset);
  while (!out.empty()) {
    const ssize_t count = read_(descriptor_, out.data(), out.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) Fail(fmt::format("{} (at byte {})", ReasonOf(errno), offset));
    if (count == 0) FailShorter(ReadStamp().size);
    offset += count;
    out = out.subspan(static_cast<size_t>(count));
  }
}

void RandomAccessFile::CheckUnchanged() const {
  const Stamp now = ReadStamp();
  const std::lock_guard lock(mutex_);
  if (now == stamp_) return;
  if (now.size < size_) FailShorter(now.size);
  if (Fingerprint() != fingerprint_) {
    Fail("its contents were changed after it had been opened, expected a file that nobody writes to");
  }
  stamp_ = now;
}

RandomAccessFile::Stamp RandomAccessFile::ReadStamp() const {
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0) Fail(ReasonOf(errno));
  return {status.st_size, status.st_mtim, status.st_ctim};
}

uint32_t RandomAccessFile::Fingerprint() const {
  const bool is_small = size_ <= kSamples * kSampleBytes;
  const int64_t samples = is_small ? 1 : kSamples;
  const int64_t bytes = is_small ? size_ : kSampleBytes;
  std::vector<std::byte> sample(static_cast<size_t>(bytes));
  std::vector<uint32_t> sums;
  for (int64_t i = 0; i < samples; ++i) {
    // Samples go from the first bytes to the last ones. This order of operations avoids an overflow for the largest
    // files.
    Read(i == 0 ? 0 : (size_ - bytes) / (samples - 1) * i, sample);
    sums.push_back(Crc32c(sample));
  }
  return Crc32c(std::as_bytes(std::span(sums)));
}

void RandomAccessFile::Fail(const std::string& reason) const {
  throw Error(fmt::format("cannot read {}: {}", path_, reason), ErrorKind::kRuntimeFailure);
}

void RandomAccessFile::FailShorter(int64_t size_now) const {
  if (size_now >= size_) Fail("it was rewritten while it was being read");  // It was shorter only for a moment.
  Fail(fmt::format("it has become shorter while it was being read: {} bytes, expected {}", size_now, size_));
}

}  // namespace twofour
