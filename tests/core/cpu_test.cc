#include "twofour/core/cpu.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace twofour {
namespace {

TEST(CpuTest, InstructionSetsHaveNamesAndTheFirstIsTheOneInUse) {
  const std::vector<SimdTarget> allowed = AllowedSimdTargets();
  ASSERT_FALSE(allowed.empty());
  for (const SimdTarget target : allowed) {
    EXPECT_THAT(std::string(NameOfSimdTarget(target)), ::testing::MatchesRegex("[a-z][a-z0-9]+"));
    EXPECT_TRUE(IsAllowed(target));
  }
  EXPECT_EQ(InstructionSetName(), NameOfSimdTarget(allowed.front()));
  EXPECT_TRUE(std::is_sorted(allowed.begin(), allowed.end()));
}

}  // namespace
}  // namespace twofour
