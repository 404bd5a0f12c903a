// Products at the end of a process, when statics are destroyed.
#include <gtest/gtest.h>

#include <cstdlib>

#include "twofour/sparse/kernels/fused_mlp/fused_mlp_kernel.h"
#include "twofour/sparse/mask.h"
#include "twofour/sparse/semi_sparse_weight.h"

#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

void Multiply() {
  const Tensor weight = test::RandomF32({64, 64}, {.seed = 1});
  const SemiSparseWeight sparse(weight, FindMask(weight, MaskMethod::kGreedy));
  sparse.Forward(test::RandomF32({300, 64}, {.seed = 2}));
  FindMask(weight, MaskMethod::kExact);
  FusedMlpKernels();
}

TEST(ProcessEndTest, TablesOutliveTheCodeThatRunsAtTheEnd) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // In a process that has made none of them yet.
  EXPECT_EXIT(
      {
        std::atexit(Multiply);  // Runs after the destructors of everything that is made from here on.
        Multiply();
        std::exit(0);
      },
      ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace twofour::sparse
