#include "twofour/sparse/kernels/fused_mlp/fused_mlp_kernel.h"

#include <gtest/gtest.h>

#include <string>

#include "twofour/sparse/kernels/linear/forced_kernel.h"

#include "tests/sparse/kernels/fused_mlp/mlp_kernel_example.h"
#include "tests/support/case_tables.h"

namespace twofour::sparse {
namespace {

/// Every kernel of the table.
class FusedMlpKernelTest : public ::testing::TestWithParam<FusedMlpKernel> {
 protected:
  void SetUp() override {
    if (const std::string why_not = WhyNotHere(GetParam().linear->isa); !why_not.empty()) GTEST_SKIP() << why_not;
  }

  void ExpectRight(const MlpSizes& sizes) {
    SCOPED_TRACE(::testing::Message() << "batch " << sizes.batch << ", " << sizes.in << " -> " << sizes.hidden << " -> "
                                      << sizes.out << ", mean bias " << sizes.fc_bias);
    MlpKernelExample example(GetParam(), sizes);
    example.CheckHidden();
    if (HasFatalFailure()) return;
    example.CheckForward();
    example.CheckBackward();
  }
};

TEST_P(FusedMlpKernelTest, IsRightForAnyNumberOfRows) {
  for (const int64_t batch : {1, 2, 3, 23, 24, 25, 31, 32, 33, 63, 64, 65, 96, 127, 128, 129, 193, 257}) {
    ExpectRight({batch, 20, 36, 12});
  }
}

TEST_P(FusedMlpKernelTest, IsRightForAnyWidth) {
  ExpectRight({29, 4, 4, 4});
  for (const int64_t width : {28, 32, 60, 64, 68}) ExpectRight({37, width, width + 4, width});
  // Around and beyond the columns that are multiplied together, and the blocks of lists and of sparse products.
  for (const int64_t width : {124, 128, 132, 260}) {
    ExpectRight({5, width, 8, 4});
    ExpectRight({67, 4, width, 8});
    ExpectRight({5, 4, 8, width});
  }
  ExpectRight({70, 300, 8, 520});
  ExpectRight({70, 8, 540, 300});
  ExpectRight({3, 8, 1060, 8});  // Several ranges of strips and of list rows.
}

TEST_P(FusedMlpKernelTest, IsRightAtEveryDensity) {
  for (const float bias : {-6.0f, -1.5f, -0.5f, 0.5f, 6.0f}) ExpectRight({150, 32, 64, 24, bias});
}

TEST_P(FusedMlpKernelTest, IsRightWhereBlocksOfListsAreWide) {
  for (const float bias : {-6.0f, -3.0f}) {
    ExpectRight({1100, 8, 12, 8, bias});
    ExpectRight({5, 8, 1060, 8, bias});
  }
}

INSTANTIATE_TEST_SUITE_P(Table, FusedMlpKernelTest,
                         ::testing::ValuesIn(FusedMlpKernels().begin(), FusedMlpKernels().end()), test::ByName());

}  // namespace
}  // namespace twofour::sparse
