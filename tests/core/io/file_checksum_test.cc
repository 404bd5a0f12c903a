#include "twofour/core/io/file_checksum.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <string>

#include "tests/support/expect_error.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_file.h"

namespace twofour {
namespace {

using test::TempDir;
using test::WriteTextFile;
using ::testing::HasSubstr;

/// CRC-32C bit by bit, as RFC 3720 defines it.
uint32_t SlowCrc32c(const std::string& text) {
  uint32_t crc = 0xffffffff;
  for (const char c : text) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? (crc >> 1) ^ 0x82f63b78 : crc >> 1;
  }
  return ~crc;
}

TEST(FileChecksumTest, IsTheSizeAndTheCrcOfTheWholeFileHoweverManyPartsItIsReadIn) {
  const TempDir dir;
  std::string text;
  for (const size_t size : {0, 1, 7, 8, 9, 1000, 262143, 262144, 262145, 700001}) {
    while (text.size() < size) text += static_cast<char>(text.size() * text.size() % 251);
    WriteTextFile(dir / "file", text);
    EXPECT_EQ(ChecksumOf(FileSystem::Default(), dir / "file"), (FileChecksum{size, SlowCrc32c(text)})) << size;
  }
}

TEST(FileChecksumTest, NoticesOneBit) {
  const TempDir dir;
  std::string text(5000, 'a');
  WriteTextFile(dir / "file", text);
  const FileChecksum before = ChecksumOf(FileSystem::Default(), dir / "file");
  text[4321] ^= 1;
  WriteTextFile(dir / "file", text);
  EXPECT_NE(ChecksumOf(FileSystem::Default(), dir / "file"), before);
}

TEST(FileChecksumTest, SaysWhatCannotBeRead) {
  const TempDir dir;
  EXPECT_ERROR(ChecksumOf(FileSystem::Default(), dir / "none"), ErrorKind::kInvalidInput,
               HasSubstr("none: No such file or directory"));
  EXPECT_ERROR(ChecksumOf(FileSystem::Default(), dir.path()), ErrorKind::kInvalidInput, HasSubstr("Is a directory"));
  ASSERT_EQ(::mkfifo((dir / "pipe").c_str(), 0600), 0);
  EXPECT_ERROR(ChecksumOf(FileSystem::Default(), dir / "pipe"), ErrorKind::kInvalidInput,
               HasSubstr("pipe: it is not a regular file"));
}

}  // namespace
}  // namespace twofour
