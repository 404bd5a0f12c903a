#include "twofour/core/kernels/simd/simd_targets.h"
//
#include <gtest/gtest.h>

#include <algorithm>
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

/// AllowedIsas without those that Highway does not know.
std::vector<Isa> AllowedIsasOfHighway() {
  std::vector<Isa> isas = AllowedIsas();
  isas.erase(std::remove_if(isas.begin(), isas.end(), [](Isa isa) { return SimdTargetOf(isa) == 0; }), isas.end());
  return isas;
}

TEST(SimdDispatchTest, TakesTheFastestThatIsAllowed) {
  EXPECT_EQ(TWOFOUR_DYNAMIC_DISPATCH(CompiledFor)(), AllowedIsasOfHighway().front());
}

TEST(SimdDispatchTest, ForEachIsaBindsItToEachInTurn) {
  std::vector<Isa> seen;
  test::ForEachIsa([&](Isa isa) {
    seen.push_back(isa);
    EXPECT_EQ(TWOFOUR_DYNAMIC_DISPATCH(CompiledFor)(), isa);
  });
  EXPECT_EQ(seen, AllowedIsasOfHighway());
  EXPECT_EQ(TWOFOUR_DYNAMIC_DISPATCH(CompiledFor)(), seen.front());
}

}  // namespace
}  // namespace twofour
#endif  // HWY_ONCE
