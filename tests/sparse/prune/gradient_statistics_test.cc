#include "twofour/sparse/prune/gradient_statistics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "twofour/core/error.h"

#include "tests/support/expect_error.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using test::F32;
using ::testing::HasSubstr;

TEST(GradientStatisticsTest, SumsWhatGradientsAreLike) {
  GradientStatistics gradients({1, 2});
  gradients.Add(F32({3, 1}, {1, 2}), "fc");
  gradients.Add(F32({-4, 0}, {1, 2}), "fc");
  EXPECT_FLOAT_EQ(gradients.MeanMagnitudes().data<float>()[0], 3.5f);
  EXPECT_FLOAT_EQ(gradients.Norms().data<float>()[0], 5);
  EXPECT_FLOAT_EQ(gradients.Norms().data<float>()[1], 1);
}

TEST(GradientStatisticsTest, SaysWhichNormNoFloatCanHold) {
  GradientStatistics gradients({1, 2});
  for (int i = 0; i < 4; ++i) gradients.Add(F32({1, -3e38f}, {1, 2}), "fc");
  EXPECT_ERROR(gradients.Norms("fc"), ErrorKind::kRuntimeFailure,
               HasSubstr("fc: the norm of its gradients at element 1 is 6e+38"));
}

}  // namespace
}  // namespace twofour::sparse
