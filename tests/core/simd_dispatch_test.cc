#include "twofour/core/kernels/simd_targets.h"
//
#include <gtest/gtest.h>

#include <vector>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tests/core/simd_dispatch_test.cc"
#include <hwy/foreach_target.h>
//
#include <hwy/highway.h>

#include "twofour/core/kernels/simd_table.h"

#include "tests/support/simd_targets.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::HWY_NAMESPACE {

SimdTarget CompiledFor() { return HWY_TARGET; }

}  // namespace twofour::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace twofour {
namespace {

HWY_EXPORT(CompiledFor);

TEST(SimdDispatchTest, TakesTheFastestThatIsAllowed) {
  EXPECT_EQ(TWOFOUR_DYNAMIC_DISPATCH(CompiledFor)(), AllowedSimdTargets().front());
}

TEST(SimdDispatchTest, ForEachSimdTargetBindsItToEachInTurn) {
  std::vector<SimdTarget> seen;
  test::ForEachSimdTarget([&](SimdTarget target) {
    seen.push_back(target);
    EXPECT_EQ(TWOFOUR_DYNAMIC_DISPATCH(CompiledFor)(), target);
  });
  EXPECT_EQ(seen, AllowedSimdTargets());
  EXPECT_EQ(TWOFOUR_DYNAMIC_DISPATCH(CompiledFor)(), seen.front());
}

}  // namespace
}  // namespace twofour
#endif  // HWY_ONCE
