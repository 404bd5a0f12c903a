#include "twofour/sparse/pruning_pattern.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "twofour/core/error.h"

#include "tests/support/expect_error.h"

namespace twofour::sparse {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

PruningPattern Parse(const std::string& text) { return ParsePruningPattern(text, "--pattern"); }

TEST(PruningPatternTest, ReadsWhatItWrites) {
  for (const char* const text :
       {"2:4", "4:8", "1:4", "31:32", "1:2", "transposable:2:4", "transposable:1:4", "transposable:3:4", "64:2:8",
        "rows:64:2:8", "4:2:5", "unstructured:0.5", "unstructured:0.5:row", "unstructured:0.75:model", "unstructured:0",
        "block:16x16:0.5", "block:1x8:0.25:model", "block:1024x1:0.9"}) {
    EXPECT_EQ(Parse(text).ToString(), text);
    EXPECT_EQ(Parse(Parse(text).ToString()), Parse(text));
  }
}

TEST(PruningPatternTest, KnowsItsFormatAndSparsity) {
  EXPECT_EQ(Parse("2:4").format, MaskFormat::Rows(2, 4));
  EXPECT_EQ(Parse("transposable:2:4").format, MaskFormat::TwoOfFour());
  EXPECT_EQ(Parse("64:2:8").format, MaskFormat::Vnm({.v = 64, .m = 8}));
  EXPECT_EQ(Parse("rows:64:2:8").format, MaskFormat::Vnm({.v = 64, .m = 8, .inner = VnmInner::kRows}));
  EXPECT_EQ(Parse("block:8x16:0.5").format, MaskFormat::Blocks(8, 16));
  EXPECT_EQ(Parse("unstructured:0.5:row").scope, PruningScope::kRow);
  EXPECT_EQ(Parse("4:8").Sparsity(), 0.5);
  EXPECT_EQ(Parse("64:2:16").Sparsity(), 0.875);
  EXPECT_EQ(Parse("transposable:1:4").Sparsity(), 0.75);
  EXPECT_EQ(Parse("block:8x16:0.3").Sparsity(), 0.3);
  EXPECT_EQ(Parse("unstructured:0.6:model").Sparsity(), 0.6);
}

TEST(PruningPatternTest, RefusesOthersInOneLine) {
  for (const char* const text : {"",
                                 ":",
                                 "2",
                                 "2:",
                                 ":4",
                                 "a:b",
                                 "2:4:8:16",
                                 "2:4 ",
                                 " 2:4",
                                 "+2:4",
                                 "2.0:4",
                                 "2:99999999999",
                                 "rows:2:4",
                                 "transposable:64:2:8",
                                 "unstructured",
                                 "unstructured:",
                                 "unstructured:half",
                                 "unstructured:0.5:all",
                                 "unstructured:0.5:row:row",
                                 "block",
                                 "block:16:0.5",
                                 "block:16x:0.5",
                                 "block:16x16",
                                 "block:16x16x16:0.5",
                                 "sparse:0.5",
                                 "TRANSPOSABLE:2:4"}) {
    EXPECT_ERROR(Parse(text), ErrorKind::kInvalidInput,
                 AllOf(StartsWith("--pattern: '" + std::string(text) + "', expected a pattern such as 2:4"),
                       Not(HasSubstr("\n"))));
  }
  const auto refuses = [](const std::string& text, const std::string& message) {
    EXPECT_ERROR(Parse(text), ErrorKind::kInvalidInput, AllOf(HasSubstr(message), Not(HasSubstr("\n"))));
  };
  refuses("4:4", "pattern 4:4: n is 4, expected 1 to 3");
  refuses("0:4", "n is 0, expected 1 to 3");
  refuses("-1:4", "n is -1");
  refuses("2:33", "m is 33, expected 2 to 32");
  refuses("transposable:2:8", "m is 8, expected 4");
  refuses("2:4:8", "v is 2, expected a multiple of 4 from 4 to 256");  // n is wrong, too.
  refuses("64:2:33", "m is 33, expected 5 to 32");
  refuses("unstructured:1.1", "sparsity is 1.1, expected a number in [0, 1]");
  refuses("unstructured:-0.5", "sparsity is -0.5");
  refuses("unstructured:nan", "sparsity is nan");
  refuses("block:0x4:0.5", "block_rows is 0, expected 1 to 1024");
  refuses("block:4x4:0.5:row", "scope is row, expected layer or model for blocks");
}

TEST(PruningPatternTest, ChecksWhatWasMadeInCode) {
  PruningPattern pattern{.format = MaskFormat::Rows(2, 4), .sparsity = 0.5};
  EXPECT_ERROR(Checked(pattern, ""), ErrorKind::kInvalidInput, HasSubstr("0 for a pattern without a budget"));
  pattern = {.format = MaskFormat::Rows(2, 4), .scope = PruningScope::kModel};
  EXPECT_ERROR(Checked(pattern, ""), ErrorKind::kInvalidInput, HasSubstr("layer for a pattern without a budget"));
  pattern = {.format = MaskFormat::Dense()};
  EXPECT_ERROR(Checked(pattern, ""), ErrorKind::kInvalidInput, HasSubstr("one that drops something"));
}

}  // namespace
}  // namespace twofour::sparse
