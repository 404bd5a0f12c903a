#include "twofour/nn/name_pattern.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/support/expect_error.h"

namespace twofour::nn {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

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

TEST(NamePatternTest, LongOnesAreRefusedBeforeTheyOverflowTheStack) {
  EXPECT_ERROR(NamePattern("exclude", std::string(100'000, '(')), ErrorKind::kInvalidInput,
               HasSubstr("exclude: 100000 characters, expected at most 1000"));
}

}  // namespace
}  // namespace twofour::nn
