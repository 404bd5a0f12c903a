#include "twofour/sparse/linear_planner.h"

#include <gtest/gtest.h>

#include <optional>

#include "twofour/core/error.h"

#include "tests/support/scoped_env.h"

namespace twofour::sparse {
namespace {

using test::ScopedEnv;

constexpr Direction kForward = Direction::kForward, kInputGrad = Direction::kInputGrad;

TEST(LinearPlannerTest, ChoosesAsChooseLinearKernelDoes) {
  const ScopedEnv env("TWOFOUR_KERNEL", std::nullopt);
  LinearPlanner planner(256, 128);
  // Asks for more plans than it keeps, and then for all of them again.
  for (int round = 0; round < 2; ++round) {
    for (int64_t batch = 0; batch < 400; batch += 5) {
      for (const Direction direction : {kForward, kInputGrad}) {
        for (const MaskFormat& format : {MaskFormat::TwoOfFour(), MaskFormat::Unstructured()}) {
          const LinearPlan plan = planner.For(direction, batch, format);
          EXPECT_EQ(plan.kernel, ChooseLinearKernel({256, 128, batch, direction, format}).kernel) << batch;
        }
      }
    }
  }
}

TEST(LinearPlannerTest, KeepsItsChoice) {
  LinearPlanner planner(64, 64);
  {
    const ScopedEnv env("TWOFOUR_KERNEL", "scalar_reference");
    EXPECT_EQ(planner.For(kForward, 7, MaskFormat::TwoOfFour()).kernel->name, "scalar_reference");
  }
  const ScopedEnv env("TWOFOUR_KERNEL", "masked_dense");
  EXPECT_EQ(planner.For(kForward, 7, MaskFormat::TwoOfFour()).kernel->name, "scalar_reference");
  EXPECT_EQ(planner.For(kForward, 8, MaskFormat::TwoOfFour()).kernel->name, "masked_dense");
  EXPECT_TRUE(planner.For(kForward, 8, MaskFormat::TwoOfFour()).forced);
}

TEST(LinearPlannerTest, AFailureIsNotKept) {
  LinearPlanner planner(64, 64);
  {
    const ScopedEnv env("TWOFOUR_KERNEL", "pair_bucket_portable");
    EXPECT_THROW(planner.For(kForward, 7, MaskFormat::Unstructured()), Error);
  }
  const ScopedEnv env("TWOFOUR_KERNEL", "masked_dense");
  EXPECT_EQ(planner.For(kForward, 7, MaskFormat::Unstructured()).kernel->name, "masked_dense");
}

}  // namespace
}  // namespace twofour::sparse
