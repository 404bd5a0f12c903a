#include "twofour/train/program/tensorboard/record_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/support/expect_error.h"
#include "tests/support/file_size_limit.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_file.h"

namespace twofour::train {
namespace {

using test::ReadTextFile;
using test::TempDir;
using test::WriteTextFile;
using ::testing::HasSubstr;
using namespace std::string_literals;

TEST(RecordWriterTest, FramesWithLengthAndMaskedCrcs) {
  const TempDir dir;
  RecordWriter(FileSystem::Default(), dir / "f").Write(std::string(32, '\0'));
  const std::string file = ReadTextFile(dir / "f");
  ASSERT_EQ(file.size(), 8u + 4 + 32 + 4);
  EXPECT_EQ(file.substr(0, 8), "\x20\0\0\0\0\0\0\0"s);
  EXPECT_EQ(file.substr(8, 4), "\x29\xed\xa9\x50"s);  // From TensorBoard's own masked_crc32c.
  EXPECT_EQ(file.substr(12, 32), std::string(32, '\0'));
  // By RFC 3720, the CRC of these bytes is 0x8a9136aa. Rotated right by 15 it is 0x6d551522; plus 0xa282ead8 it is
  // 0x0fd7fffa.
  EXPECT_EQ(file.substr(44), "\xfa\xff\xd7\x0f"s);
}

TEST(RecordWriterTest, EachRecordIsInTheFileAtOnce) {
  const TempDir dir;
  RecordWriter writer(FileSystem::Default(), dir / "f");
  writer.Write("one");
  EXPECT_EQ(ReadTextFile(dir / "f").size(), 19u);
  writer.Write("");
  EXPECT_EQ(ReadTextFile(dir / "f").size(), 19u + 16);
}

TEST(RecordWriterTest, AppendsToWhatIsThere) {
  const TempDir dir;
  WriteTextFile(dir / "f", "before");
  RecordWriter(FileSystem::Default(), dir / "f").Write("record");
  const std::string file = ReadTextFile(dir / "f");
  EXPECT_EQ(file.substr(0, 6), "before");
  EXPECT_EQ(file.substr(18, 6), "record");
}

TEST(RecordWriterTest, ARecordForWhichThereIsNoRoomIsNotTorn) {
  const TempDir dir;
  RecordWriter writer(FileSystem::Default(), dir / "f");
  writer.Write("one");
  {
    const test::FileSizeLimit limit(30);
    EXPECT_ERROR(writer.Write("two"), ErrorKind::kRuntimeFailure, HasSubstr("File too large"));
  }
  EXPECT_EQ(ReadTextFile(dir / "f").size(), 19u);
  writer.Write("two");
  EXPECT_EQ(ReadTextFile(dir / "f").size(), 2 * 19u);
}

TEST(RecordWriterTest, ReportsWhatItCannotWrite) {
  EXPECT_ERROR(RecordWriter(FileSystem::Default(), "/no/such/folder/f"), ErrorKind::kRuntimeFailure,
               HasSubstr("cannot open /no/such/folder/f for appending: No such file or directory"));
  RecordWriter full(FileSystem::Default(), "/dev/full");
  EXPECT_ERROR(full.Write("x"), ErrorKind::kRuntimeFailure, HasSubstr("cannot write to /dev/full: No space left"));
}

}  // namespace
}  // namespace twofour::train
