#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "twofour/core/error.h"
#include "twofour/train/data/gzip.h"
#include "twofour/train/data/idx.h"

#include "tests/train/data/idx_test_data.h"
#include "tests/train/data/test_files.h"

namespace twofour::train {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

IdxArray Parse(std::string_view file) { return ParseIdx(ToBytes(file), "data.idx"); }

void ExpectError(std::string_view file, const std::string& message) {
  EXPECT_THAT([&] { Parse(file); }, ThrowsMessage<Error>(message));
}

TEST(ParseIdxTest, ReadsHandMadeBytes) {
  const std::string file("\0\0\x08\x02\0\0\0\x02\0\0\0\x03\x01\x02\x03\x04\x05\xff", 18);
  const IdxArray array = Parse(file);
  EXPECT_THAT(array.dims, ElementsAre(2, 3));
  EXPECT_THAT(array.bytes, ElementsAre(1, 2, 3, 4, 5, 255));
}

TEST(ParseIdxTest, ReadsGzip) {
  const IdxArray array = Parse(Gzip(MakeIdx({3, 1}, "abc")));
  EXPECT_THAT(array.dims, ElementsAre(3, 1));
  EXPECT_THAT(array.bytes, ElementsAre('a', 'b', 'c'));
}

TEST(ParseIdxTest, ReadsGzipOfSeveralChunksAndMembers) {
  std::string elements(3'000'000, '\0');
  for (size_t i = 0; i < elements.size(); ++i) elements[i] = static_cast<char>(i * i >> 8);
  const std::string file = MakeIdx({3000, 1000}, elements);
  const std::string members = Gzip(file.substr(0, 20)) + Gzip("") + Gzip(file.substr(20));
  for (const std::string& packed : {Gzip(file), members}) {
    const IdxArray array = Parse(packed);
    EXPECT_EQ(std::string(array.bytes.begin(), array.bytes.end()), elements);
  }
}

TEST(ParseIdxTest, RefusesWrongMagic) {
  ExpectError(
      "PK\x03\x04",
      "data.idx: a zip archive, as .npz, PyTorch's .pt and .xlsx files are, expected an IDX file, gzip'd or not");
  ExpectError("<html><body>", "data.idx: an HTML page, expected an IDX file, gzip'd or not");
  ExpectError("P5 28 28 255", "data.idx: byte 0: not an IDX file: it begins with 0x50 0x35, expected two zero bytes");
  ExpectError(std::string("\0\0\x0d\x01\0\0\0\x01\0\0\0\0", 12),
              "data.idx: byte 2: element type 0x0d, expected 0x08 (unsigned bytes)");
  ExpectError(std::string("\0\0\x08\0", 4), "data.idx: byte 3: 0 dimensions, expected 1 to 8");
  ExpectError(std::string("\0\0\x08\x09", 4), "data.idx: byte 3: 9 dimensions, expected 1 to 8");
}

TEST(ParseIdxTest, RefusesCountsThatLie) {
  ExpectError(MakeIdx({2, 3}, "12345"),
              "data.idx: the header announces 6 elements (2 x 3) and 5 bytes follow it (from byte 12)");
  ExpectError(MakeIdx({2, 3}, "12345678"),
              "data.idx: the header announces 6 elements (2 x 3) and 8 bytes follow it (from byte 12)");
  ExpectError(Gzip(MakeIdx({2, 3}, "12345")),
              "data.idx (decompressed): the header announces 6 elements (2 x 3) and 5 bytes follow it (from byte 12)");
}

TEST(ParseIdxTest, RefusesZeroAndHugeDimensions) {
  ExpectError(MakeIdx({2, 0}, ""), "data.idx: byte 8: a dimension is 0");
  ExpectError(MakeIdx({0xffffffff}, ""),
              "data.idx: byte 4: a dimension of 4294967295 makes more than 1073741824 elements");
  // The product wraps around to 0 in 64 bits.
  ExpectError(MakeIdx({1 << 16, 1 << 16, 1 << 16, 1 << 16}, ""),
              "data.idx: byte 8: a dimension of 65536 makes more than 1073741824 elements");
}

TEST(ParseIdxTest, ABombIsReadNoFurtherThanAnnounced) {
  // 64 MiB of zeros in 64 KiB, behind a header that announces 6 bytes.
  const std::string bomb = Gzip(MakeIdx({6}, std::string(1 << 26, '\0')));
  ASSERT_LT(bomb.size(), size_t{1} << 17);
  EXPECT_THAT([&] { Parse(bomb); }, ThrowsMessage<Error>(AllOf(HasSubstr("announces 6 elements"),
                                                               HasSubstr("and at least 28 bytes follow it"))));
}

TEST(ParseIdxTest, RefusesCorruptGzip) {
  const std::string good = Gzip(MakeIdx({6}, "123456"));
  std::string wrong_checksum = good;
  wrong_checksum[good.size() - 8] ^= 1;
  EXPECT_THAT([&] { Parse(wrong_checksum); },
              ThrowsMessage<Error>(AllOf(HasSubstr("data.idx: byte "), HasSubstr("incorrect data check"))));
  std::string wrong_block = good;
  wrong_block[10] = '\x07';  // A block of type 3, which does not exist.
  EXPECT_THAT([&] { Parse(wrong_block); }, ThrowsMessage<Error>(HasSubstr("invalid block type")));
  EXPECT_THAT([&] { Parse(good + "garbage"); }, ThrowsMessage<Error>(HasSubstr("incorrect header check")));
}

TEST(ParseIdxTest, GzipIsCheckedToItsEnd) {
  // The data are long enough not to be decompressed along with the header.
  std::string wrong_checksum = Gzip(MakeIdx({100}, std::string(100, 'x')));
  wrong_checksum[wrong_checksum.size() - 8] ^= 1;
  EXPECT_THAT([&] { Parse(wrong_checksum); }, ThrowsMessage<Error>(HasSubstr("incorrect data check")));
  EXPECT_THAT([&] { Parse(Gzip(MakeIdx({100}, std::string(101, 'x')))); },
              ThrowsMessage<Error>(HasSubstr("at least 101 bytes follow")));
}

TEST(ParseIdxTest, EveryTruncationIsAnError) {
  const std::string plain = MakeIdx({2, 3}, "123456");
  for (size_t length = 0; length < plain.size(); ++length) {
    EXPECT_THROW(Parse(plain.substr(0, length)), Error) << length;
  }
  const std::string packed = Gzip(plain);
  for (size_t length = 0; length < packed.size(); ++length) {
    EXPECT_THROW(Parse(packed.substr(0, length)), Error) << length;
  }
  ExpectError(plain.substr(0, 3), "data.idx: 3 bytes, too short for an IDX header");
  ExpectError(plain.substr(0, 7),
              "data.idx: byte 7: the file ends within the header, which takes 12 bytes for 2 dimensions");
  ExpectError(packed.substr(0, 12), "data.idx: byte 12: corrupt gzip data: the file ends early");
}

TEST(ParseIdxTest, NoFlippedByteCrashes) {
  const std::string packed = Gzip(MakeIdx({2, 3}, "123456"));
  for (size_t at = 0; at < packed.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = packed;
      flipped[at] = static_cast<char>(flipped[at] ^ (1 << bit));
      try {
        // Fields that the checksum does not cover (time stamp, system) may change; the contents may not.
        EXPECT_EQ(Parse(flipped).bytes, Parse(packed).bytes) << "byte " << at << ", bit " << bit;
      } catch (const Error&) {
      }
    }
  }
}

TEST(GzipReaderTest, StopsWhereAsked) {
  const std::vector<std::byte> packed = ToBytes(Gzip("hello, world"));
  GzipReader reader(packed, "x.gz");
  std::vector<std::byte> data;
  reader.ReadUpTo(5, data);
  EXPECT_EQ(data, ToBytes("hello"));
  reader.ReadUpTo(100, data);
  EXPECT_EQ(data, ToBytes("hello, world"));
  reader.ReadUpTo(100, data);
  EXPECT_EQ(data, ToBytes("hello, world"));
}

}  // namespace
}  // namespace twofour::train
