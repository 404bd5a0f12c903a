#include "twofour/train/program/cli/pattern_argument.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "twofour/sparse/permutation/pattern_mask.h"

#include "tests/support/expect_error.h"

namespace twofour::train {
namespace {

using ::testing::HasSubstr;

TEST(PatternArgumentTest, ReadsPatterns) {
  EXPECT_EQ(ParsePattern("64:2:8", "transposable"), (sparse::VnmPattern{.v = 64, .m = 8}));
  EXPECT_EQ(ParsePattern("4:2:32", "rows"), (sparse::VnmPattern{.v = 4, .m = 32, .inner = sparse::VnmInner::kRows}));
  EXPECT_EQ(PatternName(ParsePattern("2:4", "transposable")), "2:4");
  EXPECT_EQ(PatternName(ParsePattern("2:4", "rows")), "2:4 along rows");
}

TEST(PatternArgumentTest, RefusesOtherWords) {
  for (const std::string text : {"", "64", "2:", "1:4", "64:2:8:", "64:2:8:1", "a:2:8", "64 :2:8", "99999999999:2:8"}) {
    EXPECT_ERROR(ParsePattern(text, "rows"), ErrorKind::kInvalidInput,
                 HasSubstr("--pattern: '" + text + "', expected 2:4 or V:2:M as in 64:2:8"));
  }
  EXPECT_ERROR(ParsePattern("6:2:8", "rows"), ErrorKind::kInvalidInput, HasSubstr("v is 6, expected a multiple of 4"));
  EXPECT_ERROR(ParsePattern("64:2:4", "rows"), ErrorKind::kInvalidInput, HasSubstr("m is 4, expected 5 to 32"));
  EXPECT_ERROR(ParsePattern("64:1:8", "rows"), ErrorKind::kInvalidInput, HasSubstr("n is 1, expected 2"));
  EXPECT_ERROR(ParsePattern("2:4", "both"), ErrorKind::kInvalidInput,
               HasSubstr("--inner: 'both', expected transposable or rows"));
}

TEST(PatternArgumentTest, ReadsPatternsAlongRows) {
  EXPECT_EQ(ParseRowPattern("2:4"), sparse::MaskFormat::Rows(2, 4));
  EXPECT_EQ(ParseRowPattern("32:32"), sparse::MaskFormat::Rows(32, 32));
  EXPECT_EQ(ParseRowPattern("16:2:5"), sparse::MaskFormat::Vnm({.v = 16, .m = 5, .inner = sparse::VnmInner::kRows}));
  for (const std::string text :
       {"", "2", "0:4", "5:4", "2:33", "2:4:", "-1:4", "6:2:8", "64:1:8", "64:2:33", "1:2:3:4"}) {
    EXPECT_ERROR(ParseRowPattern(text), ErrorKind::kInvalidInput,
                 HasSubstr("--pattern '" + text + "': expected N:M with 1 <= N <= M <= 32"));
  }
}

}  // namespace
}  // namespace twofour::train
