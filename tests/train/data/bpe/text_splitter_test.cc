#include "twofour/train/data/bpe/text_splitter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "twofour/core/error.h"

namespace twofour::train {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::ThrowsMessage;

std::vector<std::string> Split(const std::string& text, const std::string& pattern = TextSplitter::kGpt2) {
  std::vector<std::string> pieces;
  TextSplitter(pattern, "p.json").Split(text, [&](std::string_view piece) { pieces.emplace_back(piece); });
  return pieces;
}

TEST(TextSplitterTest, SplitsAsGpt2Does) {
  EXPECT_THAT(Split("Hello, I'm here!"), ElementsAre("Hello", ",", " I", "'m", " here", "!"));
  EXPECT_THAT(Split("we'll they'd IT'S"), ElementsAre("we", "'ll", " they", "'d", " IT", "'", "S"));
  EXPECT_THAT(Split("in 2026, 3.5"), ElementsAre("in", " 2026", ",", " 3", ".", "5"));
  // Of several blanks the last one goes with the word, if it is a space.
  EXPECT_THAT(Split("a   b"), ElementsAre("a", "  ", " b"));
  EXPECT_THAT(Split("a \n\n b\n"), ElementsAre("a", " \n\n", " b", "\n"));
  EXPECT_THAT(Split("a\tb  "), ElementsAre("a", "\t", "b", "  "));
  EXPECT_THAT(Split("\u00FCber \u4F60\u597D \u0661\u0662"), ElementsAre("\u00FCber", " \u4F60\u597D", " \u0661\u0662"));
  EXPECT_THAT(Split("e\u0301"), ElementsAre("e", "\u0301"));  // A combining accent is no letter.
  EXPECT_THAT(Split(""), IsEmpty());
}

TEST(TextSplitterTest, BlanksAreThoseOfUnicode) {
  EXPECT_THAT(Split("a\u0085b"), ElementsAre("a", "\u0085", "b"));
  EXPECT_THAT(Split("a\u00A0\u3000b"), ElementsAre("a", "\u00A0", "\u3000", "b"));
  EXPECT_THAT(Split("a\u2028\u2028b"), ElementsAre("a", "\u2028", "\u2028", "b"));
  // U+180E and U+200B were blanks once.
  EXPECT_THAT(Split("a \u180E \u200B b"), ElementsAre("a", " \u180E", " \u200B", " b"));
}

TEST(TextSplitterTest, BytesThatAreNoCharactersArePieces) {
  EXPECT_THAT(Split("ab\xFF\xFE"
                    "c"),
              ElementsAre("ab", "\xFF\xFE", "c"));
  EXPECT_THAT(Split("\xC3"), ElementsAre("\xC3"));
  EXPECT_THAT(Split("a\xED\xA0\x80"), ElementsAre("a", "\xED\xA0\x80"));  // A surrogate.
  EXPECT_THAT(Split(std::string("a\0b", 3)), ElementsAre("a", std::string(1, '\0'), "b"));
}

TEST(TextSplitterTest, AllTextIsInSomePiece) {
  EXPECT_THAT(Split("a1b", "[0-9]"), ElementsAre("a", "1", "b"));
  EXPECT_THAT(Split("a\u00E9b", "x*"), ElementsAre("a", "\u00E9", "b"));  // Matches nothing at each place.
  EXPECT_THAT(Split("none", "[0-9]"), ElementsAre("none"));
}

TEST(TextSplitterTest, WritesBlanksOut) {
  EXPECT_EQ(WithUnicodeBlanks(R"(\s+)"), R"([\p{Z}\x{9}-\x{d}\x{85}]+)");
  EXPECT_EQ(WithUnicodeBlanks(R"(\S)"), R"([^\p{Z}\x{9}-\x{d}\x{85}])");
  EXPECT_EQ(WithUnicodeBlanks(R"([^\s\p{L}])"), R"([^\p{Z}\x{9}-\x{d}\x{85}\p{L}])");
  EXPECT_EQ(WithUnicodeBlanks(R"(\\s\[\s])"), R"(\\s\[[\p{Z}\x{9}-\x{d}\x{85}]])");
  EXPECT_EQ(WithUnicodeBlanks(R"([]\s])"), R"([]\p{Z}\x{9}-\x{d}\x{85}])");
  EXPECT_EQ(WithUnicodeBlanks(R"([[:alpha:]\s])"), R"([[:alpha:]\p{Z}\x{9}-\x{d}\x{85}])");
  EXPECT_EQ(WithUnicodeBlanks("\\"), "\\");
}

TEST(TextSplitterTest, RefusesFaultyAndEndlessPatterns) {
  EXPECT_THAT([] { TextSplitter("(a", "p.json"); },
              ThrowsMessage<Error>(HasSubstr("p.json: the pattern \"(a\" is faulty")));
  EXPECT_THAT([] { TextSplitter(std::string(1 << 17, 'a'), "p.json"); },
              ThrowsMessage<Error>(HasSubstr("a pattern of 131072 bytes")));
  EXPECT_THAT([] { Split(std::string(5000, 'a'), "(a+)+b|(a|aa)+c"); },
              ThrowsMessage<Error>(HasSubstr("fails at byte 0")));
}

}  // namespace
}  // namespace twofour::train
