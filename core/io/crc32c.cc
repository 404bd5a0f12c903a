#include "twofour/core/io/crc32c.h"

#include <array>
#include <bit>
#include <cstring>

namespace twofour {
namespace {

static_assert(std::endian::native == std::endian::little, "eight bytes are read as one little-endian number");

constexpr uint32_t kReversedPolynomial = 0x82f63b78;  // 0x1edc6f41, lowest bit first.
constexpr size_t kSlices = 8;

using Tables = std::array<std::array<uint32_t, 256>, kSlices>;

/// tables[0] holds the remainder of each value of a byte, tables[n] that of the byte followed by n zero bytes.
constexpr Tables MakeTables() {
  Tables tables{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t remainder = byte;
    for (int bit = 0; bit < 8; ++bit) {
      remainder = (remainder >> 1) ^ ((remainder & 1) != 0 ? kReversedPolynomial : 0);
    }
    tables[0][byte] = remainder;
  }
  for (size_t slice = 1; slice < kSlices; ++slice) {
    for (size_t byte = 0; byte < 256; ++byte) {
      const uint32_t shorter = tables[slice - 1][byte];
      tables[slice][byte] = (shorter >> 8) ^ tables[0][shorter & 0xff];
    }
  }
  return tables;
}

constexpr Tables kTables = MakeTables();

#if defined(__x86_64__)
/// Uses the processor's own instruction, which computes this polynomial.
__attribute__((target("sse4.2"))) uint32_t Crc32cBySse42(std::span<const std::byte> bytes, uint32_t before) {
  uint64_t crc = ~before;
  for (; bytes.size() >= sizeof(uint64_t); bytes = bytes.subspan(sizeof(uint64_t))) {
    uint64_t block;
    std::memcpy(&block, bytes.data(), sizeof(block));
    crc = __builtin_ia32_crc32di(crc, block);
  }
  auto rest = static_cast<uint32_t>(crc);
  for (const std::byte byte : bytes) rest = __builtin_ia32_crc32qi(rest, static_cast<unsigned char>(byte));
  return ~rest;
}
#endif

}  // namespace

uint32_t internal::Crc32cByTables(std::span<const std::byte> bytes, uint32_t before) {
  uint32_t crc = ~before;
  // Eight bytes at a time ("slicing by 8", Kounavis and Berry, 2005): their eight look-ups do not wait for each other,
  // which is several times as fast as byte by byte.
  for (; bytes.size() >= kSlices; bytes = bytes.subspan(kSlices)) {
    uint64_t block;
    std::memcpy(&block, bytes.data(), sizeof(block));
    block ^= crc;
    crc = 0;
    for (size_t i = 0; i < kSlices; ++i) crc ^= kTables[kSlices - 1 - i][(block >> (8 * i)) & 0xff];
  }
  for (const std::byte byte : bytes) crc = (crc >> 8) ^ kTables[0][(crc ^ static_cast<uint32_t>(byte)) & 0xff];
  return ~crc;
}

uint32_t Crc32c(std::span<const std::byte> bytes, uint32_t before) {
#if defined(__x86_64__)
  static const bool has_instruction = __builtin_cpu_supports("sse4.2");
  if (has_instruction) return Crc32cBySse42(bytes, before);
#endif
  return internal::Crc32cByTables(bytes, before);
}

}  // namespace twofour
