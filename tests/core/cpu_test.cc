#include "twofour/core/cpu.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace twofour {
namespace {

TEST(CpuTest, InstructionSetHasAName) {
  EXPECT_THAT(InstructionSetName(), ::testing::MatchesRegex("[A-Z][A-Za-z0-9_]+"));
  EXPECT_NE(InstructionSetName(), "Unknown");
}

}  // namespace
}  // namespace twofour
