#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

namespace twofour {

/// A file that is open for reading (see FileSystem::OpenFile). It reads directly into the caller's memory. It is not
/// mapped, because a signal ends the process when a mapped file becomes shorter or its disk fails.
class ReadableFile {
 public:
  ReadableFile() = default;
  virtual ~ReadableFile() = default;
  ReadableFile(const ReadableFile&) = delete;
  ReadableFile& operator=(const ReadableFile&) = delete;

  /// The size in bytes when the file was opened.
  virtual uint64_t size() const = 0;
  /// Fills `out` with the bytes from `offset` on, which must lie within size(). Throws Error when the disk fails or the
  /// file has become shorter.
  virtual void Read(uint64_t offset, std::span<std::byte> out) const = 0;
};

/// Reads bytes in memory as a file. The bytes must outlive it.
class BytesAsFile final : public ReadableFile {
 public:
  explicit BytesAsFile(std::span<const std::byte> bytes) : bytes_(bytes) {}
  uint64_t size() const override { return bytes_.size(); }
  void Read(uint64_t offset, std::span<std::byte> out) const override;

 private:
  std::span<const std::byte> bytes_;
};

namespace internal {

/// FileSystem::OpenFile of the machine's own file system.
std::unique_ptr<ReadableFile> OpenPosixFile(const std::filesystem::path& path, uint64_t max_bytes);

}  // namespace internal
}  // namespace twofour
