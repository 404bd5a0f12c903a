#include "twofour/core/kernels/gemm/gemm_block.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "tests/support/products.h"

namespace twofour::kernels {
namespace {

// Float products reach the library only where twofour has no kernel of its own, which may not be the case here.
TEST(GemmBlockTest, FloatsMatchThreeLoops) {
  for (const test::ProductSize& size : {test::ProductSize{1, 1, 1}, {1, 7, 3}, {13, 17, 19}, {31, 64, 33}}) {
    test::ForAllForms<float>(size, [](test::Product<float>& product) {
      product.Compute([](const GemmProblem<float>& problem) { GemmBlock(problem); });
      product.ExpectRight(std::numeric_limits<float>::epsilon());
    });
  }
}

TEST(GemmLibraryNameTest, NamesLibraryAndVersion) {
  EXPECT_THAT(GemmLibraryName(), ::testing::MatchesRegex("(oneDNN|Eigen) [0-9]+\\.[0-9]+\\.[0-9]+"));
}

}  // namespace
}  // namespace twofour::kernels
