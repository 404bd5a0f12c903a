#include "twofour/train/data/token_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "twofour/core/error.h"

#include "tests/support/temp_dir.h"
#include "tests/train/data/test_files.h"

namespace twofour::train {
namespace {

using ::testing::ElementsAre;
using ::testing::ThrowsMessage;

std::vector<int32_t> Tokens(const TokenSource& source, int64_t offset, size_t count) {
  std::vector<int32_t> tokens(count, -1);
  source.Read(offset, tokens);
  return tokens;
}

class TokenSourceTest : public ::testing::Test {
 protected:
  std::shared_ptr<const RandomAccessFile> Open(std::string_view contents) {
    return std::make_shared<const RandomAccessFile>(WriteTestFile(dir_ / "file", contents));
  }
  std::string Path() const { return (dir_ / "file").string(); }

  test::TempDir dir_;
};

TEST_F(TokenSourceTest, BytesAreTokens) {
  const ByteSource source(Open(std::string_view("a\0\xff\x80z", 5)));
  EXPECT_EQ(source.size(), 5);
  EXPECT_THAT(Tokens(source, 0, 5), ElementsAre('a', 0, 255, 128, 'z'));
  EXPECT_THAT(Tokens(source, 3, 2), ElementsAre(128, 'z'));
}

TEST_F(TokenSourceTest, PairsOfBytesAreLittleEndianTokens) {
  const U16Source source(Open(std::string_view("\x01\x00\x00\x01\xff\xff\x34\x12", 8)));
  EXPECT_EQ(source.size(), 4);
  EXPECT_THAT(Tokens(source, 0, 4), ElementsAre(1, 256, 65535, 0x1234));
  EXPECT_THAT(Tokens(source, 1, 2), ElementsAre(256, 65535));
}

TEST_F(TokenSourceTest, AHeaderMayEndAtAnOddByte) {
  const U16Source source(Open("abc\x01\x02\x03\x04"), 3);
  EXPECT_THAT(Tokens(source, 0, 2), ElementsAre(0x0201, 0x0403));
  EXPECT_THAT(Tokens(source, 1, 1), ElementsAre(0x0403));
}

TEST_F(TokenSourceTest, AFileMayBeAHeaderAlone) { EXPECT_EQ(U16Source(Open("abc"), 3).size(), 0); }

TEST_F(TokenSourceTest, MemoryHoldsTokens) {
  const InMemoryTokens source({7, 65535, 0});
  EXPECT_EQ(source.size(), 3);
  EXPECT_THAT(Tokens(source, 1, 2), ElementsAre(65535, 0));
}

TEST_F(TokenSourceTest, ReadsNothingAtTheEnd) {
  EXPECT_THAT(Tokens(InMemoryTokens({1, 2}), 2, 0), ElementsAre());
  EXPECT_THAT(Tokens(InMemoryTokens({}), 0, 0), ElementsAre());
}

TEST_F(TokenSourceTest, RefusesWhatIsOutside) {
  const auto file = Open("abcdefgh");
  const std::shared_ptr<const TokenSource> sources[] = {std::make_shared<ByteSource>(file),
                                                        std::make_shared<U16Source>(file, 2),
                                                        std::make_shared<InMemoryTokens>(std::vector<uint16_t>(5))};
  for (const auto& source : sources) {
    const int64_t size = source->size();
    for (const int64_t offset :
         {int64_t{-1}, size, size + 1, std::numeric_limits<int64_t>::max(), std::numeric_limits<int64_t>::min()}) {
      EXPECT_THROW(Tokens(*source, offset, 1), Error) << offset;
    }
    EXPECT_THROW(Tokens(*source, size - 1, 2), Error);
    EXPECT_THROW(Tokens(*source, size + 1, 0), Error);
  }
  EXPECT_THAT([&] { Tokens(*sources[2], 4, 2); },
              ThrowsMessage<Error>("cannot read 2 tokens from token 4 on: there are 5"));
}

TEST_F(TokenSourceTest, RefusesOddSizes) {
  const auto file = Open("abcde");
  EXPECT_THAT([&] { U16Source source(file); },
              ThrowsMessage<Error>(Path() + ": 5 bytes, expected an even number: 2 for each token"));
  EXPECT_THAT(
      [&] { U16Source source(file, 2); },
      ThrowsMessage<Error>(Path() + ": 3 bytes after a header of 2, expected an even number: 2 for each token"));
  EXPECT_THAT([&] { U16Source source(file, 6); }, ThrowsMessage<Error>(Path() + ": 5 bytes, expected a header of 6"));
}

TEST_F(TokenSourceTest, AFileThatHasBecomeShorterIsAnError) {
  const auto file = Open("abcdefgh");
  const ByteSource bytes(file);
  const U16Source ids(file, 2);
  std::filesystem::resize_file(dir_ / "file", 4);
  const auto shorter = ThrowsMessage<Error>("cannot read " + Path() +
                                            ": it has become shorter while it was being read: 4 bytes, expected 8");
  EXPECT_THAT(Tokens(bytes, 0, 4), ElementsAre('a', 'b', 'c', 'd'));
  EXPECT_THAT([&] { Tokens(bytes, 3, 2); }, shorter);
  EXPECT_THAT([&] { bytes.CheckUnchanged(); }, shorter);
  EXPECT_THAT([&] { Tokens(ids, 1, 1); }, shorter);
  EXPECT_THAT([&] { ids.CheckUnchanged(); }, shorter);
}

TEST_F(TokenSourceTest, ReadsFarBeyond32Bits) {
  // A sparse file: it takes a page or two of the disk, and is read only where it is touched.
  constexpr int64_t kBytes = int64_t{5} << 30;
  const std::string path = WriteTestFile(dir_ / "huge", "\x01");
  std::error_code refused;
  std::filesystem::resize_file(path, static_cast<uintmax_t>(kBytes - 4), refused);
  if (refused) GTEST_SKIP() << refused.message();
  std::ofstream(path, std::ios::binary | std::ios::app) << "\x05\x06\x07\x08";
  const auto file = std::make_shared<const RandomAccessFile>(path);
  const U16Source source(file);
  ASSERT_EQ(source.size(), kBytes / 2);
  EXPECT_THAT(Tokens(source, kBytes / 2 - 3, 3), ElementsAre(0, 0x0605, 0x0807));
  EXPECT_THAT(Tokens(source, 0, 2), ElementsAre(1, 0));
  const ByteSource bytes(file);
  ASSERT_EQ(bytes.size(), kBytes);
  EXPECT_THAT(Tokens(bytes, kBytes - 2, 2), ElementsAre(7, 8));
}

}  // namespace
}  // namespace twofour::train
