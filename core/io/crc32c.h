#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace twofour {

/// CRC-32C (Castagnoli) of `bytes`, as RFC 3720 has it and TFRecord files use it; 0 for none. Not zlib's crc32, whose
/// polynomial is another. `before` is the checksum of the bytes that come before these, for data that is read in parts.
uint32_t Crc32c(std::span<const std::byte> bytes, uint32_t before = 0);

namespace internal {

/// The same without the instruction that some processors have for it.
uint32_t Crc32cByTables(std::span<const std::byte> bytes, uint32_t before);

}  // namespace internal

}  // namespace twofour
