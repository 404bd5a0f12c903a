#include "twofour/train/tensorboard/record_writer.h"

#include <fmt/format.h>

#include <bit>
#include <cerrno>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

#include "twofour/core/error.h"
#include "twofour/core/io/crc32c.h"

namespace twofour::train {
namespace {

template <std::unsigned_integral T>
void AppendLittleEndian(T value, std::string& out) {
  for (size_t byte = 0; byte < sizeof(T); ++byte) out += static_cast<char>(value >> (8 * byte));
}

/// The CRC of data that itself holds CRCs would be weak without the mask.
uint32_t MaskedCrc(std::string_view data) {
  return std::rotr(Crc32c(std::as_bytes(std::span(data))), 15) + uint32_t{0xa282ead8};
}

}  // namespace

RecordWriter::RecordWriter(const std::filesystem::path& path) : path_(path), file_(std::fopen(path.c_str(), "ab")) {
  if (file_ == nullptr) {
    throw Error(fmt::format("cannot open {} for appending: {}", path.string(), std::strerror(errno)),
                ErrorKind::kRuntimeFailure);
  }
}

void RecordWriter::Write(std::string_view record) {
  std::string framed;
  framed.reserve(record.size() + 16);
  AppendLittleEndian(uint64_t{record.size()}, framed);
  AppendLittleEndian(MaskedCrc(framed), framed);
  framed += record;
  AppendLittleEndian(MaskedCrc(record), framed);
  if (std::fwrite(framed.data(), 1, framed.size(), file_.get()) != framed.size() || std::fflush(file_.get()) != 0) {
    throw Error(fmt::format("cannot write to {}: {}", path_.string(), std::strerror(errno)),
                ErrorKind::kRuntimeFailure);
  }
}

}  // namespace twofour::train
