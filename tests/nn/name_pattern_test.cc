#include "twofour/nn/name_pattern.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "tests/support/expect_error.h"

namespace twofour::nn {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using ::testing::StrEq;

TEST(NamePatternTest, MatchesWholeNames) {
  const NamePattern pattern("include", R"((.*\.)?mlp\..*)");
  EXPECT_TRUE(pattern.Matches("blocks.0.mlp.c_fc"));
  EXPECT_TRUE(pattern.Matches("mlp.c_fc"));
  EXPECT_FALSE(pattern.Matches("blocks.0.xmlp.c_fc"));
  EXPECT_FALSE(pattern.Matches("blocks.0.mlp"));
}

TEST(NamePatternTest, WhatIsNoExpressionIsAnErrorThatNamesItsPlace) {
  EXPECT_ERROR(NamePattern("include", "a["), ErrorKind::kInvalidInput,
               AllOf(StartsWith("include: 'a['"), HasSubstr("expected a regular expression")));
}

TEST(NamePatternTest, LongOnesAreRefusedInOneLine) {
  EXPECT_ERROR(NamePattern("exclude", std::string(100'000, '(')), ErrorKind::kInvalidInput,
               HasSubstr("exclude: 100000 characters, expected at most 50000"));
  EXPECT_ERROR(NamePattern("exclude", std::string(50'000, '(')), ErrorKind::kInvalidInput, HasSubstr("RE2"));
  EXPECT_ERROR(NamePattern("exclude", "a\nb("), ErrorKind::kInvalidInput,
               StrEq(R"(exclude: 'a\x0ab(', expected a regular expression; RE2 says 'missing ): a\x0ab(')"));
}

/// As `trainer prune` writes it into a config: the names of linears that stay dense.
TEST(NamePatternTest, AListOfThousandsOfCharactersIsFine) {
  std::string list;
  for (int i = 0; i < 1000; ++i) list += fmt::format("{}transformer\\.h\\.{}\\.mlp\\.c_fc", i == 0 ? "" : "|", i);
  const NamePattern pattern("exclude", list);
  EXPECT_TRUE(pattern.Matches("transformer.h.999.mlp.c_fc"));
  EXPECT_FALSE(pattern.Matches("transformer.h.1000.mlp.c_fc"));
}

TEST(NamePatternTest, NoExpressionTakesExponentialTimeOrMuchMemory) {
  const std::string name(20'000, 'a');
  EXPECT_FALSE(NamePattern("include", "(a*)*b").Matches(name));
  EXPECT_FALSE(NamePattern("include", "(a|a)*b").Matches(name));
  EXPECT_TRUE(NamePattern("include", "(a|aa)+").Matches(name));
  EXPECT_EQ(NamePattern("include", "(.*)(.*)a(a*)").Replace(name, "$3"), "");
  EXPECT_ERROR(NamePattern("include", ".{1000000}"), ErrorKind::kInvalidInput,
               AllOf(StartsWith("include: '.{1000000}', expected a regular expression"), HasSubstr("repetition")));
  EXPECT_ERROR(NamePattern("include", "(((\\pL{100}){10}){10}){10}"), ErrorKind::kInvalidInput,
               HasSubstr("expected a regular expression"));
  EXPECT_ERROR(NamePattern("include", "\\pL{1000}"), ErrorKind::kInvalidInput, HasSubstr("too large"));
}

TEST(NamePatternTest, WhatWouldNeedBacktrackingIsRefusedByName) {
  for (const std::string pattern : {"(?!head).*", "(?=a).*", "(?<=a)b", R"((a)\1)"}) {
    EXPECT_ERROR(NamePattern("include", pattern), ErrorKind::kInvalidInput,
                 AllOf(HasSubstr("'" + pattern + "'"), HasSubstr("invalid")));
  }
}

TEST(NamePatternTest, ReplacesWhatBracketsMatched) {
  const NamePattern pattern("from", R"(h\.(\d+)\.(a|(b))\.(.*))");
  EXPECT_EQ(pattern.Replace("h.12.a.weight", "blocks.$1.$4"), "blocks.12.weight");
  EXPECT_EQ(pattern.Replace("h.1.a.", "[$2$3$4$9]"), "[a]");
  EXPECT_EQ(pattern.Replace("h.1.b.x", "$$1 $3 $ $x $"), "$1 b $ $x $");
  EXPECT_EQ(pattern.Replace("h.x.a.weight", "$1"), std::nullopt);
}

}  // namespace
}  // namespace twofour::nn
