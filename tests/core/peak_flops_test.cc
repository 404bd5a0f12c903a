#include "twofour/core/peak_flops.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/simd_targets.h"
#include "tests/support/tensors.h"

// Only that there is a rate: how high depends on what else the machine does.
namespace twofour {
namespace {

TEST(PeakFlopsTest, IsPositiveAndFiniteForEveryInstructionSetAndNumberOfThreads) {
  test::ForEachSimdTarget([](SimdTarget) {
    for (const int threads : {1, 3}) {
      const test::ScopedNumThreads scope(threads);
      const double rate = MeasurePeakFlops();
      EXPECT_GT(rate, 1e6);
      EXPECT_TRUE(std::isfinite(rate));
    }
  });
}

}  // namespace
}  // namespace twofour
