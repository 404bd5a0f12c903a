#include "twofour/core/peak_flops.h"

#include <gtest/gtest.h>

#include <cmath>

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
        const PeakFlops peak = MeasurePeakFlops(operands);
        EXPECT_GT(peak.typical, 1e6);
        EXPECT_GE(peak.flops, peak.typical);
        EXPECT_TRUE(std::isfinite(peak.flops));
      }
    }
  });
}

}  // namespace
}  // namespace twofour
