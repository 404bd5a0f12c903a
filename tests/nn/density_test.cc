#include "twofour/nn/density.h"

#include <gtest/gtest.h>

#include "tests/support/tensors.h"

namespace twofour::nn {
namespace {

TEST(NonZeroShareTest, CountsWhatIsNotZero) {
  EXPECT_EQ(NonZeroShare(test::F32({0, 1, -0.0f, -2}, {2, 2})), 0.5);
  EXPECT_EQ(NonZeroShare(Tensor::Zeros({3})), 0);
  EXPECT_EQ(NonZeroShare(Tensor::Zeros({0, 4})), 1);
}

}  // namespace
}  // namespace twofour::nn
