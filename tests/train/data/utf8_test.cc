#include "twofour/train/data/utf8.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "twofour/core/error.h"

namespace twofour::train {
namespace {

using ::testing::ElementsAre;
using ::testing::ThrowsMessage;

std::vector<char32_t> Decode(std::string_view text) {
  std::vector<char32_t> characters;
  for (Utf8Reader reader(text, "text"); !reader.AtEnd();) characters.push_back(reader.Next());
  return characters;
}

bool IsAccepted(std::string_view text) {
  try {
    Decode(text);
    return true;
  } catch (const Error&) {
    return false;
  }
}

/// The Unicode standard's table 3-7, "Well-Formed UTF-8 Byte Sequences": ranges of each byte.
bool IsInTable(std::string_view text) {
  struct Range {
    int low, high;
  };
  static const std::vector<std::vector<Range>> kTable = {
      {{0x00, 0x7F}},
      {{0xC2, 0xDF}, {0x80, 0xBF}},
      {{0xE0, 0xE0}, {0xA0, 0xBF}, {0x80, 0xBF}},
      {{0xE1, 0xEC}, {0x80, 0xBF}, {0x80, 0xBF}},
      {{0xED, 0xED}, {0x80, 0x9F}, {0x80, 0xBF}},
      {{0xEE, 0xEF}, {0x80, 0xBF}, {0x80, 0xBF}},
      {{0xF0, 0xF0}, {0x90, 0xBF}, {0x80, 0xBF}, {0x80, 0xBF}},
      {{0xF1, 0xF3}, {0x80, 0xBF}, {0x80, 0xBF}, {0x80, 0xBF}},
      {{0xF4, 0xF4}, {0x80, 0x8F}, {0x80, 0xBF}, {0x80, 0xBF}},
  };
  while (!text.empty()) {
    size_t length = 0;
    for (const std::vector<Range>& row : kTable) {
      bool fits = row.size() <= text.size();
      for (size_t i = 0; fits && i < row.size(); ++i) {
        const int byte = static_cast<unsigned char>(text[i]);
        fits = byte >= row[i].low && byte <= row[i].high;
      }
      if (fits) length = row.size();
    }
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

/// Bytes at, and beside, every border in the table.
constexpr std::array<int, 27> kBorders = {0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF,
                                          0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE,
                                          0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xF7, 0xF8, 0xFF};

/// Compares all texts that begin with `text` and continue with up to `more` border bytes.
void CompareWithTable(std::string& text, int more) {
  ASSERT_EQ(IsAccepted(text), IsInTable(text)) << ::testing::PrintToString(text);
  if (more == 0) return;
  for (const int byte : kBorders) {
    text.push_back(static_cast<char>(byte));
    CompareWithTable(text, more - 1);
    text.pop_back();
  }
}

TEST(Utf8Test, AcceptsWhatTheStandardsTableDoes) {
  std::string text;
  CompareWithTable(text, 3);
  for (const int lead : {0xE0, 0xED, 0xEF, 0xF0, 0xF1, 0xF4}) {
    text = {static_cast<char>(lead), '\x90'};
    CompareWithTable(text, 2);
    text = {static_cast<char>(lead), '\x8F'};
    CompareWithTable(text, 2);
  }
}

TEST(Utf8Test, KnownCharacters) {
  EXPECT_THAT(Decode("aé€😀"), ElementsAre(U'a', U'\u00E9', U'\u20AC', U'\U0001F600'));
  EXPECT_THAT(Decode("\xF4\x8F\xBF\xBF\xEF\xBF\xBF"), ElementsAre(0x10FFFF, 0xFFFF));
  EXPECT_THAT(Decode(""), ElementsAre());
}

TEST(Utf8Test, EveryScalarComesBack) {
  for (char32_t scalar = 0; scalar <= 0x10FFFF; ++scalar) {
    if (!IsUnicodeScalar(scalar)) continue;
    std::string text;
    AppendUtf8(scalar, text);
    ASSERT_EQ(static_cast<int>(text.size()), Utf8Length(scalar));
    Utf8Reader reader(text, "text");
    ASSERT_EQ(reader.Next(), scalar);
    ASSERT_TRUE(reader.AtEnd());
  }
}

TEST(Utf8Test, ScalarsAreAllButSurrogates) {
  for (const char32_t yes : {0x0, 0xD7FF, 0xE000, 0x10FFFF}) EXPECT_TRUE(IsUnicodeScalar(yes));
  for (const char32_t no : {0xD800u, 0xDFFFu, 0x110000u, 0xFFFFFFFFu}) EXPECT_FALSE(IsUnicodeScalar(no));
}

TEST(Utf8Test, KnowsWhereItIs) {
  Utf8Reader reader("a\u00E9b", "text");
  EXPECT_EQ(reader.position(), 0u);
  reader.Next();
  EXPECT_EQ(reader.position(), 1u);
  reader.Next();
  EXPECT_EQ(reader.position(), 3u);
}

TEST(Utf8Test, Errors) {
  const auto expect = [](std::string_view text, const std::string& message) {
    EXPECT_THAT([&] { Decode(text); }, ThrowsMessage<Error>("text: byte " + message));
  };
  expect("ab\x80", "2: not UTF-8: 0x80 begins no character");
  expect("\xFF", "0: not UTF-8: 0xff begins no character");
  expect("ab\xC3", "2: not UTF-8: the text ends within a character");
  expect("\u00E9\xE2\x82", "2: not UTF-8: the text ends within a character");
  expect("\xC3z", "0: not UTF-8: 0xc3 begins a character of 2 bytes, 0x7a does not go on with it");
  expect("\xC0\x80", "0: not UTF-8: 2 bytes for U+0000, which takes 1");
  expect("\xE0\x82\xAC", "0: not UTF-8: 3 bytes for U+00AC, which takes 2");
  expect("\xED\xA0\x80", "0: not UTF-8: the surrogate U+D800");
  expect("\xF4\x90\x80\x80", "0: not UTF-8: a code point above U+10FFFF");
}

TEST(Utf8Test, DescribesCharactersOnOneLine) {
  EXPECT_EQ(DescribeCharacter(U'\u00E9'), "'é' (U+00E9)");
  EXPECT_EQ(DescribeCharacter(U'\U0001F600'), "'😀' (U+1F600)");
  for (const char32_t control : {0x0A, 0x00, 0x7F, 0x85, 0x2028, 0x202E}) {
    EXPECT_EQ(DescribeCharacter(control).substr(0, 2), "U+");
  }
}

TEST(Utf8Test, FirstCharacterLengthAgreesWithTheReader) {
  const auto by_reader = [](const std::string& text) -> size_t {
    try {
      Utf8Reader reader(text, "t");
      reader.Next();
      return reader.position();
    } catch (const Error&) {
      return 0;
    }
  };
  // All texts of two bytes, and of three and four bytes near the limits of the standard's table.
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) {
      const std::string two{static_cast<char>(a), static_cast<char>(b)};
      for (const char* rest : {"", "\x7F", "\x80", "\xBF", "\xC0", "\x80\x80", "\xBF\xBF", "\x80\xC0", "\x80\x7F"}) {
        const std::string text = two + rest;
        ASSERT_EQ(FirstCharacterLength(text), by_reader(text)) << ::testing::PrintToString(text);
      }
    }
  }
  EXPECT_EQ(FirstCharacterLength(""), 0U);
}

}  // namespace
}  // namespace twofour::train
