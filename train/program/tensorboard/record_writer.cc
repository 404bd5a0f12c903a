#include "twofour/train/program/tensorboard/record_writer.h"

#include <bit>
#include <concepts>
#include <cstdint>
#include <span>
#include <string>

#include "twofour/core/io/crc32c.h"

namespace twofour::train {
namespace {

template <std::unsigned_integral T>
void AppendLittleEndian(T value, std::string& out) {
  for (size_t byte = 0; byte < sizeof(T); ++byte) out += static_cast<char>(value >> (8 * byte));
}

/// Without the mask, the CRC of data that itself holds CRCs would be weak.
uint32_t MaskedCrc(std::string_view data) {
  return std::rotr(Crc32c(std::as_bytes(std::span(data))), 15) + uint32_t{0xa282ead8};
}

}  // namespace

RecordWriter::RecordWriter(FileSystem& files, const std::filesystem::path& path)
    : file_(files.OpenForAppending(path)) {}

void RecordWriter::Write(std::string_view record) {
  std::string framed;
  framed.reserve(record.size() + 16);
  AppendLittleEndian(uint64_t{record.size()}, framed);
  AppendLittleEndian(MaskedCrc(framed), framed);
  framed += record;
  AppendLittleEndian(MaskedCrc(record), framed);
  file_->Append(framed);
}

}  // namespace twofour::train
