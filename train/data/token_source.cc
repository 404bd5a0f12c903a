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

}  // namespace

ByteSource::ByteSource(std::shared_ptr<const MappedFile> file) : file_(std::move(file)) {}

void ByteSource::Read(int64_t offset, std::span<int32_t> out) const {
  CheckRange(*this, offset, out.size());
  const std::byte* first = file_->bytes().data() + offset;
  std::transform(first, first + out.size(), out.begin(), [](std::byte b) { return std::to_integer<int32_t>(b); });
}

U16Source::U16Source(std::shared_ptr<const MappedFile> file, int64_t header_bytes) : file_(std::move(file)) {
  const auto size = static_cast<int64_t>(file_->bytes().size());
  if (header_bytes < 0 || header_bytes > size) {
    throw Error(fmt::format("{}: {} bytes, expected a header of {}", file_->path(), size, header_bytes));
  }
  ids_ = file_->bytes().subspan(static_cast<size_t>(header_bytes));
  if (ids_.size() % sizeof(uint16_t) != 0) {
    const std::string header = header_bytes == 0 ? "" : fmt::format(" after a header of {}", header_bytes);
    throw Error(
        fmt::format("{}: {} bytes{}, expected an even number: 2 for each token", file_->path(), ids_.size(), header));
  }
}

void U16Source::Read(int64_t offset, std::span<int32_t> out) const {
  CheckRange(*this, offset, out.size());
  const std::byte* from = ids_.data() + sizeof(uint16_t) * static_cast<size_t>(offset);
  for (size_t i = 0; i < out.size(); ++i) {
    uint16_t id;
    std::memcpy(&id, from + sizeof(id) * i, sizeof(id));
    out[i] = id;
  }
}

void InMemoryTokens::Read(int64_t offset, std::span<int32_t> out) const {
  CheckRange(*this, offset, out.size());
  std::copy_n(ids_.begin() + offset, out.size(), out.begin());
}

}  // namespace twofour::train
