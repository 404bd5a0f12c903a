#include "twofour/train/data/token_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>
#include <utility>

#include "twofour/core/error.h"

namespace twofour::train {
namespace {

static_assert(std::endian::native == std::endian::little, "token files hold little-endian numbers");

void CheckRange(const TokenSource& source, int64_t offset, size_t count) {
  const int64_t size = source.size();
  if (offset >= 0 && offset <= size && count <= static_cast<uint64_t>(size - offset)) return;
  throw Error(fmt::format("cannot read {} tokens from token {} on: there are {}", count, offset, size));
}

/// Reads a little-endian T for each token, without memory besides `out`: the numbers are read into the end of `out` and
/// widened from the front. The writing never overtakes the reading.
template <typename T>
void ReadAndWiden(const RandomAccessFile& file, int64_t offset, std::span<int32_t> out) {
  const std::span<std::byte> numbers = std::as_writable_bytes(out).last(out.size() * sizeof(T));
  file.Read(offset, numbers);
  for (size_t i = 0; i < out.size(); ++i) {
    T number;
    std::memcpy(&number, numbers.data() + sizeof(T) * i, sizeof(T));
    out[i] = number;
  }
}

}  // namespace

ByteSource::ByteSource(std::shared_ptr<const RandomAccessFile> file) : file_(std::move(file)) {}

void ByteSource::Read(int64_t offset, std::span<int32_t> out) const {
  CheckRange(*this, offset, out.size());
  ReadAndWiden<uint8_t>(*file_, offset, out);
}

U16Source::U16Source(std::shared_ptr<const RandomAccessFile> file, int64_t header_bytes)
    : file_(std::move(file)), header_bytes_(header_bytes) {
  constexpr int64_t kIdBytes = sizeof(uint16_t);
  if (header_bytes < 0 || header_bytes > file_->size()) {
    throw Error(fmt::format("{}: {} bytes, expected a header of {}", file_->path(), file_->size(), header_bytes));
  }
  const int64_t bytes = file_->size() - header_bytes;
  if (bytes % kIdBytes != 0) {
    const std::string header = header_bytes == 0 ? "" : fmt::format(" after a header of {}", header_bytes);
    throw Error(fmt::format("{}: {} bytes{}, expected an even number: 2 for each token", file_->path(), bytes, header));
  }
  size_ = bytes / kIdBytes;
}

void U16Source::Read(int64_t offset, std::span<int32_t> out) const {
  CheckRange(*this, offset, out.size());
  ReadAndWiden<uint16_t>(*file_, header_bytes_ + offset * int64_t{sizeof(uint16_t)}, out);
}

ShardedSource::ShardedSource(std::vector<std::shared_ptr<const TokenSource>> shards) : shards_(std::move(shards)) {
  if (shards_.empty()) throw Error("no shards of tokens, expected at least one");
  int64_t end = 0;
  for (const auto& shard : shards_) ends_.push_back(end += shard->size());
}

void ShardedSource::Read(int64_t offset, std::span<int32_t> out) const {
  CheckRange(*this, offset, out.size());
  size_t shard = static_cast<size_t>(std::ranges::upper_bound(ends_, offset) - ends_.begin());
  while (!out.empty()) {
    const int64_t begin = shard == 0 ? 0 : ends_[shard - 1];
    const auto count = std::min<size_t>(out.size(), static_cast<size_t>(ends_[shard] - offset));
    shards_[shard]->Read(offset - begin, out.first(count));
    out = out.subspan(count);
    offset += static_cast<int64_t>(count);
    ++shard;
  }
}

void ShardedSource::CheckUnchanged() const {
  for (const auto& shard : shards_) shard->CheckUnchanged();
}

void InMemoryTokens::Read(int64_t offset, std::span<int32_t> out) const {
  CheckRange(*this, offset, out.size());
  std::copy_n(ids_.begin() + offset, out.size(), out.begin());
}

}  // namespace twofour::train
