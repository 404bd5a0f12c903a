#include "twofour/train/data/bpe/byte_text.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace twofour::train {
namespace {

TEST(ByteTextTest, WritesKnownBytesAsGpt2Does) {
  EXPECT_EQ(WriteBytes("Hi!~"), "Hi!~");
  EXPECT_EQ(WriteBytes(" "), "\u0120");
  EXPECT_EQ(WriteBytes("\n"), "\u010A");
  EXPECT_EQ(WriteBytes(std::string(1, '\0')), "\u0100");
  EXPECT_EQ(WriteBytes("\xAD"), "\u0143");  // The last of the 68: a soft hyphen in Latin-1.
  EXPECT_EQ(WriteBytes("\u00E9"), "\u00C3\u00A9");
}

TEST(ByteTextTest, EveryByteComesBack) {
  std::string all;
  std::set<std::string> written;
  for (int byte = 0; byte < 256; ++byte) {
    all += static_cast<char>(byte);
    written.insert(WriteBytes(std::string(1, static_cast<char>(byte))));
  }
  EXPECT_EQ(written.size(), 256U);
  EXPECT_EQ(ReadBytes(WriteBytes(all)), all);
}

TEST(ByteTextTest, OtherTextIsNone) {
  for (const char* text : {" ", "\n", "\u0144", "\u00AD", "\u20AC", "a b", "\xFF"}) {
    EXPECT_EQ(ReadBytes(text), std::nullopt) << text;
  }
  EXPECT_EQ(ReadBytes(""), "");
}

}  // namespace
}  // namespace twofour::train
