#include "twofour/train/program/prune/pattern_kind.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/expect_error.h"

namespace twofour::train {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> Texts(const std::string& kind, const std::vector<double>& levels = {}) {
  std::vector<std::string> texts;
  for (const sparse::PruningPattern& pattern : PatternsAt(ParsePatternKind(kind, "--pattern"), levels, "--levels")) {
    texts.push_back(pattern.ToString());
  }
  return texts;
}

TEST(PatternKindTest, LevelsBecomePatterns) {
  EXPECT_THAT(Texts("unstructured"), ElementsAre("unstructured:0.25", "unstructured:0.5", "unstructured:0.75"));
  EXPECT_THAT(Texts("unstructured:row", {0.9, 0.1}), ElementsAre("unstructured:0.1:row", "unstructured:0.9:row"));
  EXPECT_THAT(Texts("block:16x8", {0.5}), ElementsAre("block:16x8:0.5"));
  EXPECT_THAT(Texts("n:4"), ElementsAre("3:4", "2:4", "1:4"));
  EXPECT_THAT(Texts("2:4", {0.75, 0.25}), ElementsAre("3:4", "1:4"));
  EXPECT_THAT(Texts("1:3", {0.333333}), ElementsAre("2:3"));
  EXPECT_THAT(Texts("transposable:2:4"), ElementsAre("transposable:2:4"));
  EXPECT_THAT(Texts("64:2:8", {0.75}), ElementsAre("64:2:8"));
  EXPECT_THAT(Texts("rows:64:2:8"), ElementsAre("rows:64:2:8"));
}

TEST(PatternKindTest, TextsReadBack) {
  for (const std::string text :
       {"unstructured", "unstructured:row", "block:16x8", "n:32", "transposable:2:4", "64:2:8", "rows:64:2:8"}) {
    EXPECT_EQ(KindText(ParsePatternKind(text, "")), text);
  }
  EXPECT_EQ(KindText(ParsePatternKind("5:8", "")), "n:8");
}

TEST(PatternKindTest, OtherTextsAreNone) {
  for (const std::string text : {"", "half", "unstructured:0.5", "unstructured:0", "unstructured:model", "block",
                                 "block:16", "block:16x16:0.5", "block:16x16:model", "n:4:8", "n:", "n:x", "4"}) {
    EXPECT_FALSE(ReadPatternKind(text)) << text;
    EXPECT_ERROR(ParsePatternKind(text, "--pattern"), ErrorKind::kInvalidInput,
                 HasSubstr("--pattern: '" + text + "', expected a pattern without its sparsity"));
  }
  EXPECT_ERROR(ParsePatternKind("5:4", ""), ErrorKind::kInvalidInput, HasSubstr("n is 5, expected 1 to 3"));
  EXPECT_ERROR(ParsePatternKind("n:99", ""), ErrorKind::kInvalidInput, HasSubstr("m is 99, expected 2 to 32"));
}

TEST(PatternKindTest, LevelsThatAPatternCannotHave) {
  const auto refuses = [](const std::string& kind, const std::vector<double>& levels, const std::string& message) {
    EXPECT_ERROR(Texts(kind, levels), ErrorKind::kInvalidInput, HasSubstr(message));
  };
  refuses("unstructured", {0.5, 1}, "--levels: 1, expected sparsities above 0 and below 1");
  refuses("unstructured", {0}, "--levels: 0, expected sparsities above 0");
  refuses("unstructured", {-0.5}, "--levels: -0.5, expected");
  refuses("unstructured", {0.5, 0.25, 0.5}, "--levels: 0.5 is there twice");
  refuses("2:3", {0.333333, 0.3333333}, "is there twice");
  refuses("2:3", {0.5}, "--levels: 0.5, expected one of 0.333333, 0.666667 with n:3");
  refuses("transposable:2:4", {0.75}, "--levels: 0.75, expected 0.5 with transposable:2:4");
  std::vector<double> many;
  for (int i = 1; i <= 101; ++i) many.push_back(i / 102.0);
  refuses("unstructured", many, "--levels: 101 of them, expected at most 100");
}

}  // namespace
}  // namespace twofour::train
