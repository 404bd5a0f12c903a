#include "twofour/core/kernels/gemm/double_gemm.h"

#include <gtest/gtest.h>

#include <limits>

#include "tests/support/products.h"

namespace twofour::kernels {
namespace {

TEST(DoubleGemmTest, MatchesThreeLoops) {
  for (const DoubleGemmKernel& kernel : DoubleGemmKernels()) {
    if (!IsAllowed(kernel.isa)) continue;
    SCOPED_TRACE(NameOf(kernel.isa));
    for (const test::ProductSize& size :
         {test::ProductSize{1, 1, 1}, {1, 7, 3}, {13, 17, 19}, {31, 64, 33}, {90, 33, 300}, {85, 530, 9}}) {
      test::ForAllForms<double>(size, [&](test::Product<double>& product) {
        product.Compute([&](const GemmProblem<double>& problem) { kernel.multiply(problem); });
        product.ExpectRight(std::numeric_limits<double>::epsilon());
      });
    }
  }
}

}  // namespace
}  // namespace twofour::kernels
