#include "twofour/core/kernels/simd/simd_targets.h"
//
#include <gtest/gtest.h>

#include <vector>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tests/core/simd_dispatch_test.cc"
#include <hwy/foreach_target.h>
//
#include <hwy/highway.h>

#include "twofour/core/kernels/simd/simd_table.h"

#include "tests/support/for_each_isa.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::HWY_NAMESPACE {

Isa CompiledFor() { return IsaOf(HWY_TARGET); }

}  // namespace twofour::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace twofour {
namespace {

HWY_EXPORT(CompiledFor);

TEST(SimdDispatchTest, TakesTheFastestThatIsAllowed) { EXPECT_EQ(TWOFOUR_DYNAMIC_DISPATCH(CompiledFor)(), BestIsa()); }

TEST(SimdDispatchTest, ForEachIsaBindsItToEachInTurn) {
  std::vector<Isa> seen;
  test::ForEachIsa([&](Isa isa) {
    seen.push_back(isa);
    EXPECT_EQ(TWOFOUR_DYNAMIC_DISPATCH(CompiledFor)(), isa);
  });
  EXPECT_EQ(seen, AllowedIsas());
  EXPECT_EQ(TWOFOUR_DYNAMIC_DISPATCH(CompiledFor)(), seen.front());
}

}  // namespace
}  // namespace twofour
#endif  // HWY_ONCE
