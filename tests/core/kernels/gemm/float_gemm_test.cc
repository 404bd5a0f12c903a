#include "twofour/core/kernels/gemm/float_gemm.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <vector>

#include "tests/support/products.h"
#include "tests/support/tensors.h"

namespace twofour::kernels {
namespace {

using test::ForAllForms;
using test::Product;
using test::ScopedNumThreads;
using Size = test::ProductSize;

/// Calls test(kernel) for each kernel that can run here.
template <typename F>
void ForAllKernels(F test) {
  for (const FloatGemmKernel& kernel : FloatGemmKernels()) {
    if (!IsAllowed(kernel.isa)) continue;
    SCOPED_TRACE(NameOf(kernel.isa));
    test(kernel);
  }
}

void ExpectRight(const std::vector<Size>& sizes) {
  ForAllKernels([&](const FloatGemmKernel& kernel) {
    for (const Size& size : sizes) {
      ForAllForms<float>(size, [&](Product<float>& product) {
        product.Compute([&](const GemmProblem<float>& problem) { kernel.Multiply(problem); });
        product.ExpectRight(std::numeric_limits<float>::epsilon());
      });
    }
  });
}

TEST(FloatGemmTest, EverySmallSize) {
  std::vector<Size> sizes;
  for (int64_t m = 1; m <= 8; ++m) {
    for (int64_t n = 1; n <= 9; ++n) {
      for (int64_t k = 1; k <= 9; ++k) sizes.push_back({m, n, k});
    }
  }
  ExpectRight(sizes);
}

TEST(FloatGemmTest, EveryNumberOfRowsInATile) {
  std::vector<Size> sizes;
  for (int64_t m = 9; m <= 30; ++m) sizes.push_back({m, 35, 5});
  ExpectRight(sizes);
}

TEST(FloatGemmTest, EveryNumberOfColumnsInAPanel) {
  std::vector<Size> sizes;
  for (const int64_t m :
       {1, 3, 25, 257}) {  // One row, B in place, B packed in passing, B packed for two blocks of rows.
    for (int64_t n = 10; n <= 70; ++n) sizes.push_back({m, n, 7});
  }
  ExpectRight(sizes);
}

TEST(FloatGemmTest, EveryRestOfDepth) {
  std::vector<Size> sizes;
  for (const int64_t m : {1, 2, 3, 4, 5, 30}) {  // With B transposed, few rows are inner products.
    for (int64_t k = 63; k <= 81; ++k) sizes.push_back({m, 13, k});
  }
  ExpectRight(sizes);
}

TEST(FloatGemmTest, SeveralBlocks) {
  // Sizes around the limits of depth, of rows in a block, and of the special paths for few rows.
  ExpectRight({{3, 17, 255}, {3, 17, 256}, {3, 17, 257}, {30, 40, 513}, {2, 7, 1024}, {2, 7, 1025}, {2, 7, 2050}});
  ExpectRight({{255, 33, 5}, {256, 33, 5}, {257, 33, 5}, {600, 20, 3}, {5, 600, 3}, {40, 600, 3}});
  ExpectRight({{24, 40, 70}, {25, 40, 70}, {48, 20, 70}, {49, 20, 70}, {1, 130, 300}, {200, 50, 300}});
  // Several groups of panels that are packed together, the last one not whole.
  ExpectRight({{30, 150, 300}, {5, 150, 300}, {257, 65, 260}, {257, 140, 260}});
  // More columns than are packed at a time.
  ExpectRight({{257, 4100, 1}});
}

TEST(FloatGemmTest, SameBitsForAnyNumberOfThreads) {
  ForAllKernels([](const FloatGemmKernel& kernel) {
    const auto multiply = [&](const GemmProblem<float>& problem) { kernel.Multiply(problem); };
    for (const Size& size : std::vector<Size>{{1, 1001, 330}, {20, 301, 300}, {300, 131, 37}, {513, 40, 290}}) {
      ForAllForms<float>(size, [&](Product<float>& product) {
        std::vector<float> expected;
        for (const int threads : {1, 2, 3}) {
          const ScopedNumThreads scoped(threads);
          const std::vector<float>& c = product.Compute(multiply);
          if (threads == 1) expected = c;
          ASSERT_EQ(std::memcmp(c.data(), expected.data(), c.size() * sizeof(float)), 0) << threads << " threads";
        }
      });
    }
  });
}

}  // namespace
}  // namespace twofour::kernels
