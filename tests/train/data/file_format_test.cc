#include "twofour/train/data/file_format.h"

#include <gtest/gtest.h>

#include <span>
#include <string>
#include <string_view>

namespace twofour::train {
namespace {

using std::string_view_literals::operator""sv;

std::span<const std::byte> Bytes(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }

TEST(WellKnownFormatTest, LeavesTextAloneThatOnlyBeginsLikeOne) {
  for (const std::string_view text : {"PAR1,PAR2,class\n1,2,a\n"sv, "GGUF,x\n"sv, "ARROW1,y\n"sv, "PK,z\n"sv,
                                      "BZh9,k\n"sv, "SQLite format 3\n"sv, "{\"a\": 1}"sv, ""sv, "P"sv}) {
    EXPECT_EQ(WellKnownFormat(Bytes(text)), "") << text;
  }
}

TEST(WellKnownFormatTest, NeedsTheWholeSignature) {
  const std::string gzip = "\x1f\x8b\x08";
  EXPECT_EQ(WellKnownFormat(Bytes(gzip)), "a gzip file");
  EXPECT_EQ(WellKnownFormat(Bytes(gzip.substr(0, 2))), "");
  EXPECT_EQ(WellKnownFormat(Bytes("\x10\0\0\0\0\0\0\0{\"a\""sv)), "a safetensors file of a model's weights");
  EXPECT_EQ(WellKnownFormat(Bytes("\x10\0\0\0\x10\0\0\0{\"a\""sv)), "");  // A header of 64 GiB.
  EXPECT_EQ(WellKnownFormat(Bytes("\x10\0\0\0\0\0\0\0[1"sv)), "");
}

TEST(WideEncodingTest, KnowsByteOrderMarks) {
  EXPECT_EQ(WideEncoding("\xff\xfe"
                         "a\0"sv),
            "UTF-16");
  EXPECT_EQ(WideEncoding("\xfe\xff\0a"sv), "UTF-16");
  EXPECT_EQ(WideEncoding("\xff\xfe\0\0a"sv), "UTF-32");
  EXPECT_EQ(WideEncoding("\0\0\xfe\xff"sv), "UTF-32");
  EXPECT_EQ(WideEncoding("\xEF\xBB\xBF"
                         "a"),
            "");
  EXPECT_EQ(WideEncoding(""), "");
}

TEST(WithoutByteOrderMarkTest, RemovesOne) {
  EXPECT_EQ(WithoutByteOrderMark("\xEF\xBB\xBF"
                                 "a"),
            "a");
  EXPECT_EQ(WithoutByteOrderMark("a\xEF\xBB\xBF"), "a\xEF\xBB\xBF");
  EXPECT_EQ(WithoutByteOrderMark("\xEF\xBB"), "\xEF\xBB");
}

}  // namespace
}  // namespace twofour::train
