#include "twofour/train/data/gzip.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <new>
#include <utility>

#include "twofour/core/error.h"

namespace twofour::train {
namespace {

// How much zlib writes at a time. Its counters are 32 bits wide, so input and output are passed in pieces.
constexpr uint64_t kChunk = 1 << 20;
constexpr size_t kMaxInput = 1 << 30;

}  // namespace

struct GzipReader::Stream {
  z_stream zlib{};
  std::span<const std::byte> rest;  // Not yet handed to zlib.
  uint64_t size = 0;
  std::string source;
  bool member_ended = false;

  uint64_t Position() const { return size - rest.size() - zlib.avail_in; }

  [[noreturn]] void Fail(const char* reason) const {
    throw Error(fmt::format("{}: byte {}: corrupt gzip data: {}", source, Position(), reason));
  }

  void Refill() {
    if (zlib.avail_in > 0 || rest.empty()) return;
    const size_t count = std::min(rest.size(), kMaxInput);
    // zlib reads through this pointer only; its type predates const.
    zlib.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(rest.data()));
    zlib.avail_in = static_cast<uInt>(count);
    rest = rest.subspan(count);
  }

  /// Decompresses up to `count` (at most kChunk) bytes; 0 only at the end of the file.
  uint64_t Inflate(std::byte* out, uint64_t count) {
    zlib.next_out = reinterpret_cast<Bytef*>(out);
    zlib.avail_out = static_cast<uInt>(count);
    while (zlib.avail_out > 0) {
      Refill();
      if (member_ended) {
        if (zlib.avail_in == 0) break;
        // RFC 1952: a file may be several compressed streams, one after the other.
        if (inflateReset(&zlib) != Z_OK) Fail("zlib gave up");
        member_ended = false;
      }
      const int status = inflate(&zlib, Z_NO_FLUSH);
      if (status == Z_STREAM_END) {
        member_ended = true;
      } else if (status == Z_BUF_ERROR) {
        Fail("the file ends early");
      } else if (status != Z_OK) {
        Fail(zlib.msg != nullptr ? zlib.msg : "zlib gave up");
      }
    }
    return count - zlib.avail_out;
  }
};

bool IsGzip(std::span<const std::byte> bytes) {
  return bytes.size() >= 2 && bytes[0] == std::byte{0x1f} && bytes[1] == std::byte{0x8b};
}

GzipReader::GzipReader(std::span<const std::byte> bytes, std::string source) : stream_(std::make_unique<Stream>()) {
  stream_->rest = bytes;
  stream_->size = bytes.size();
  stream_->source = std::move(source);
  constexpr int kGzipOnly = 16;
  if (inflateInit2(&stream_->zlib, MAX_WBITS + kGzipOnly) != Z_OK) throw std::bad_alloc();
}

GzipReader::~GzipReader() { inflateEnd(&stream_->zlib); }

void GzipReader::ReadUpTo(uint64_t total, std::vector<std::byte>& data) {
  while (data.size() < total) {
    const size_t held = data.size();
    const uint64_t wanted = std::min(total - held, kChunk);
    data.resize(held + wanted);
    const uint64_t got = stream_->Inflate(data.data() + held, wanted);
    data.resize(held + got);
    if (got < wanted) return;
  }
}

std::vector<std::byte> Decompress(std::span<const std::byte> bytes, uint64_t max_bytes, const std::string& source) {
  std::vector<std::byte> data;
  GzipReader(bytes, source).ReadUpTo(max_bytes + 1, data);
  if (data.size() > max_bytes) {
    throw Error(fmt::format("{}: more than {} bytes when decompressed, which is the limit", source, max_bytes));
  }
  return data;
}

}  // namespace twofour::train
