#include "twofour/train/program/sweep/references.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/expect_error.h"

namespace twofour::train {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string Replace(const std::string& assignment) {
  return ReplaceReferences(assignment, "here", [](const std::string& name) { return "<" + name + ">"; });
}

TEST(ReplaceReferencesTest, LeavesTheRestAlone) {
  EXPECT_EQ(Replace("sparsity.schedule={ end { step: 3 } }"), "sparsity.schedule={ end { step: 3 } }");
  EXPECT_EQ(Replace(""), "");
}

TEST(ReplaceReferencesTest, ReplacesEveryOne) {
  EXPECT_EQ(Replace("initial_weights={run:dense}/model.safetensors"), "initial_weights=<dense>/model.safetensors");
  EXPECT_EQ(Replace("{run:a, lr=1}{run:b}"), "<a, lr=1><b>");
}

TEST(ReplaceReferencesTest, NamesMayHoldBracesInPairs) {
  EXPECT_EQ(Replace("x={run:end={step: 3}}/y"), "x=<end={step: 3}>/y");
}

TEST(ReplaceReferencesTest, MissesAClosingBrace) {
  EXPECT_ERROR(Replace("x={run:dense"), ErrorKind::kInvalidInput,
               AllOf(StartsWith("here: x={run:dense: "), HasSubstr("closing brace")));
}

}  // namespace
}  // namespace twofour::train
