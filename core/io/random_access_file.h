#pragma once

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <filesystem>
#include <mutex>
#include <span>
#include <string>

namespace twofour {

/// A file of which parts are read in any order, for hours. It stays on the disk, so it may be larger than memory. It is
/// read and not mapped, because a signal ends the process when a mapped file becomes shorter or its disk fails. Const
/// functions may be called from several threads at once.
///
/// The file stays readable when its name is removed or given to another file. Changes in place are noticed: see
/// CheckUnchanged().
class RandomAccessFile {
 public:
  /// The type of pread(2), which tests replace.
  using ReadFunction = ssize_t (*)(int descriptor, void* out, size_t count, off_t offset);

  /// Throws Error when the file is missing, unreadable, no regular file or empty.
  explicit RandomAccessFile(const std::filesystem::path& path, ReadFunction read = ::pread);
  ~RandomAccessFile();
  RandomAccessFile(const RandomAccessFile&) = delete;
  RandomAccessFile& operator=(const RandomAccessFile&) = delete;

  /// The size in bytes when the file was opened. Bytes that are appended later do not count.
  int64_t size() const { return size_; }
  /// The path as given to the constructor, for messages.
  const std::string& path() const { return path_; }

  /// Reads the bytes from `offset` on, which must lie within size(). Throws Error (a runtime failure) when the disk
  /// fails or the file has become shorter.
  void Read(int64_t offset, std::span<std::byte> out) const;

  /// Throws Error (a runtime failure) when the file is shorter than it was, or was written to and holds other bytes.
  /// Costs a system call. It compares contents only where that call shows a new time of change: all of a file of up to
  /// 1 MiB, 64 samples spread over a larger one. So `touch` does no harm, but a small edit of a large file can stay
  /// unnoticed.
  void CheckUnchanged() const;

 private:
  /// What the system says about the file. A write changes the times.
  struct Stamp {
    int64_t size = 0;
    timespec modified{}, changed{};
    bool operator==(const Stamp& other) const;
  };
  Stamp ReadStamp() const;
  uint32_t Fingerprint() const;
  [[noreturn]] void Fail(const std::string& reason) const;
  [[noreturn]] void FailShorter(int64_t size_now) const;

  std::string path_;
  ReadFunction read_;
  int descriptor_ = -1;
  int64_t size_ = 0;
  uint32_t fingerprint_ = 0;
  mutable std::mutex mutex_;  // Guards stamp_.
  mutable Stamp stamp_;       // At this stamp the contents matched fingerprint_.
};

}  // namespace twofour
