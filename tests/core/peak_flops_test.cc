#include "twofour/core/peak_flops.h"

#include <gtest/gtest.h>

#include <cmath>

#include "twofour/core/isa_choice.h"

#include "tests/support/for_each_isa.h"
#include "tests/support/tensors.h"

// Only checks that there is a rate. How high it is depends on what else the machine does.
namespace twofour {
namespace {

TEST(PeakFlopsTest, IsPositiveAndFiniteForEveryInstructionSetAndNumberOfThreads) {
  test::ForEachIsa([](Isa) {
    for (const int threads : {1, 3}) {
      const test::ScopedNumThreads scope(threads);
      for (const DType operands : {DType::kF32, DType::kBF16}) {
        if (operands == DType::kBF16 && IsAllowed(Isa::kAmxBf16)) continue;
        const PeakFlops peak = MeasurePeakFlops(operands);
        EXPECT_GT(peak.typical, 1e6);
        EXPECT_GE(peak.flops, peak.typical);
        EXPECT_TRUE(std::isfinite(peak.flops));
      }
    }
  });
}

TEST(PeakFlopsTest, TilesOfAmxAreNotMeasured) {
  const internal::ScopedIsaChoice machine(
      {.allowed = {Isa::kAmxBf16, Isa::kAvx512Bf16, BestIsa()}, .bf16_pairs_pay = true});
  EXPECT_EQ(MeasurePeakFlops(DType::kBF16).flops, 0);
  EXPECT_GT(MeasurePeakFlops(DType::kF32).flops, 0);
}

}  // namespace
}  // namespace twofour
