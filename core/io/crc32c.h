#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace twofour {

/// CRC-32C (Castagnoli) of `bytes`, as in RFC 3720 and TFRecord files; 0 for no bytes. It is not zlib's crc32, which
/// has another polynomial. `before` is the checksum of the bytes that come before these, for data that is read in
/// parts.
uint32_t Crc32c(std::span<const std::byte> bytes, uint32_t before = 0);

namespace internal {

/// The same without the instruction that some processors have for it.
uint32_t Crc32cByTables(std::span<const std::byte> bytes, uint32_t before);

}  // namespace internal

}  // namespace twofour
