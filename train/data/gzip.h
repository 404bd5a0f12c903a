#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace twofour::train {

/// True when the bytes begin as a gzip file (RFC 1952) does.
bool IsGzip(std::span<const std::byte> bytes);

/// Decompresses a gzip file no further than the caller asks, and takes memory only for data that has come out. So a
/// small file that would expand to terabytes is harmless.
class GzipReader {
 public:
  /// `bytes` must outlive the reader; `source` names the file in messages.
  GzipReader(std::span<const std::byte> bytes, std::string source);
  ~GzipReader();
  GzipReader(const GzipReader&) = delete;
  GzipReader& operator=(const GzipReader&) = delete;

  /// Appends decompressed bytes until `data` holds `total` of them or the file ends. The checksum is verified when the
  /// end is reached, so ask for one byte more than there should be. Throws Error, naming the file's byte, on corrupt or
  /// truncated data.
  void ReadUpTo(uint64_t total, std::vector<std::byte>& data);

 private:
  struct Stream;
  std::unique_ptr<Stream> stream_;
};

/// All that a gzip file holds. Throws Error, naming the file, as GzipReader does, and where it is more than
/// `max_bytes`.
std::vector<std::byte> Decompress(std::span<const std::byte> bytes, uint64_t max_bytes, const std::string& source);

}  // namespace twofour::train
