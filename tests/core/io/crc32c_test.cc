#include "twofour/core/io/crc32c.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <string_view>
#include <vector>

namespace twofour {
namespace {

uint32_t CrcOf(const std::vector<uint8_t>& bytes) { return Crc32c(std::as_bytes(std::span(bytes))); }

// RFC 3720, B.4. It prints the bytes of each CRC lowest first.
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

TEST(Crc32cTest, OfNothingIsZero) { EXPECT_EQ(Crc32c({}), 0u); }

}  // namespace
}  // namespace twofour
