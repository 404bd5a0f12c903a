#include "twofour/core/isa.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace twofour {
namespace {

TEST(IsaTest, AllowedOnesHaveNamesAndComeFastestFirst) {
  const std::vector<Isa> allowed = AllowedIsas();
  ASSERT_FALSE(allowed.empty());
  for (const Isa isa : allowed) {
    EXPECT_THAT(std::string(NameOf(isa)), ::testing::MatchesRegex("[a-z][a-z0-9]+"));
    EXPECT_TRUE(IsAllowed(isa));
  }
  EXPECT_EQ(BestIsa(), allowed.front());
  EXPECT_TRUE(std::is_sorted(allowed.rbegin(), allowed.rend()));
  EXPECT_EQ(std::count(allowed.begin(), allowed.end(), Isa::kAny), 0);
}

TEST(IsaTest, CodeForAnyProcessorRunsOnAny) {
  EXPECT_TRUE(IsAllowed(Isa::kAny));
  EXPECT_EQ(NameOf(Isa::kAny), "any");
}

}  // namespace
}  // namespace twofour
