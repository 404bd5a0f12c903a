#include "twofour/nn/name_choice.h"

#include <gtest/gtest.h>

#include "twofour/core/error.h"

namespace twofour::nn {
namespace {

TEST(NameChoiceTest, SaysWhichPatternDecides) {
  const NameChoice choice(".*mlp.*", ".*c_proj");
  EXPECT_EQ(choice.ReasonAgainst("h.0.mlp.c_fc"), "");
  EXPECT_EQ(choice.ReasonAgainst("head"), "name does not match include '.*mlp.*'");
  EXPECT_EQ(choice.ReasonAgainst("h.0.mlp.c_proj"), "name matches exclude '.*c_proj'");
}

TEST(NameChoiceTest, AnEmptyExcludeExcludesNothing) {
  EXPECT_EQ(NameChoice(".*", "").ReasonAgainst(""), "");
  EXPECT_THROW(NameChoice("(", ""), Error);
}

}  // namespace
}  // namespace twofour::nn
