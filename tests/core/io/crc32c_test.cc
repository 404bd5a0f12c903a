#include "twofour/core/io/crc32c.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <string_view>
#include <vector>

namespace twofour {
namespace {

uint32_t CrcOf(const std::vector<uint8_t>& bytes) { return Crc32c(std::as_bytes(std::span(bytes))); }

// From RFC 3720, B.4, which prints the lowest byte of each CRC first.
TEST(Crc32cTest, MatchesTheVectorsOfRfc3720) {
  EXPECT_EQ(CrcOf(std::vector<uint8_t>(32, 0x00)), 0x8a9136aau);
  EXPECT_EQ(CrcOf(std::vector<uint8_t>(32, 0xff)), 0x62a8ab43u);
  std::vector<uint8_t> rising(32);
  std::iota(rising.begin(), rising.end(), uint8_t{0});
  EXPECT_EQ(CrcOf(rising), 0x46dd794eu);
  std::ranges::reverse(rising);
  EXPECT_EQ(CrcOf(rising), 0x113fdb5cu);
  const std::vector<uint8_t> scsi_read_command{0x01, 0xc0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
                                               0x00, 0x00, 0x00, 0x00, 0x14, 0x00, 0x00, 0x00, 0x00, 0x00, 0x04, 0x00,
                                               0x00, 0x00, 0x00, 0x14, 0x00, 0x00, 0x00, 0x18, 0x28, 0x00, 0x00, 0x00,
                                               0x00, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00};
  EXPECT_EQ(CrcOf(scsi_read_command), 0xd9963a56u);
}

TEST(Crc32cTest, MatchesTheUsualCheckValue) {
  constexpr std::string_view kDigits = "123456789";
  EXPECT_EQ(Crc32c(std::as_bytes(std::span(kDigits))), 0xe3069283u);
}

TEST(Crc32cTest, IsTheSameInPartsAndByTables) {
  std::vector<uint8_t> bytes(1000);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i * i % 253);
  const auto all = std::as_bytes(std::span(bytes));
  for (size_t size = 0; size < bytes.size(); size += 7) {
    const auto whole = all.first(size);
    // Computed bit by bit, as RFC 3720 defines it.
    uint32_t expected = 0xffffffff;
    for (const std::byte byte : whole) {
      expected ^= static_cast<uint32_t>(byte);
      for (int bit = 0; bit < 8; ++bit) expected = (expected & 1) != 0 ? (expected >> 1) ^ 0x82f63b78 : expected >> 1;
    }
    expected = ~expected;
    const size_t cut = size * 5 / 13;
    EXPECT_EQ(Crc32c(whole), expected);
    EXPECT_EQ(Crc32c(whole.subspan(cut), Crc32c(whole.first(cut))), expected);
    EXPECT_EQ(internal::Crc32cByTables(whole, 0), expected);
    EXPECT_EQ(internal::Crc32cByTables(whole.subspan(cut), internal::Crc32cByTables(whole.first(cut), 0)), expected);
  }
}

TEST(Crc32cTest, OfNothingIsZero) { EXPECT_EQ(Crc32c({}), 0u); }

}  // namespace
}  // namespace twofour
