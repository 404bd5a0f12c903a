#include "twofour/nn/init.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/support/tensors.h"

namespace twofour::nn {
namespace {

using test::ExpectBitEqual;

/// Expects a uniform distribution in [-bound, bound]: within it, close to both ends, and with the right mean and
/// spread.
void ExpectUniform(const Tensor& tensor, double bound) {
  const float* x = tensor.data<float>();
  const int64_t n = tensor.numel();
  double sum = 0, squares = 0;
  for (int64_t i = 0; i < n; ++i) {
    ASSERT_LE(std::fabs(x[i]), static_cast<float>(bound));
    sum += static_cast<double>(x[i]);
    squares += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  }
  EXPECT_LT(*std::min_element(x, x + n), -0.99 * bound);
  EXPECT_GT(*std::max_element(x, x + n), 0.99 * bound);
  EXPECT_NEAR(sum / static_cast<double>(n), 0.0, 0.05 * bound);
  EXPECT_NEAR(squares / static_cast<double>(n), bound * bound / 3, 0.05 * bound * bound);
}

TEST(InitTest, PyTorchDefaultIsUniformByInFeatures) {
  Generator generator(1);
  const Tensor weight = LinearInit::PyTorchDefault().Weight(400, 25, generator);
  EXPECT_EQ(weight.shape(), (Shape{400, 25}));
  ExpectUniform(weight, 0.2);
  const Tensor bias = LinearInit::PyTorchDefault().Bias(5000, 100, generator);
  EXPECT_EQ(bias.shape(), (Shape{5000}));
  ExpectUniform(bias, 0.1);
}

TEST(InitTest, StandardDeviationsAreThoseAskedFor) {
  Generator generator(1);
  ExpectUniform(LinearInit::Uniform(0.1).Weight(400, 25, generator), std::sqrt(3.0) * 0.1);
  ExpectBitEqual(LinearInit::Uniform(0.1).Bias(4, 8, generator), Tensor::Zeros({4}));
  const Tensor normal = LinearInit::Normal(0.1).Weight(400, 25, generator);
  double squares = 0;
  int64_t beyond_two = 0;
  for (const float x : normal.ToVector()) {
    squares += static_cast<double>(x) * static_cast<double>(x);
    beyond_two += std::fabs(x) > 0.2F;
  }
  EXPECT_NEAR(squares / 10000, 0.01, 0.0005);
  EXPECT_NEAR(static_cast<double>(beyond_two) / 10000, 0.0455, 0.01);  // The share in a normal distribution.
  ExpectBitEqual(LinearInit::Normal(0.1).Bias(4, 8, generator), Tensor::Zeros({4}));
}

TEST(InitTest, ZeroIsZero) {
  Generator generator(1);
  ExpectBitEqual(LinearInit::Zero().Weight(4, 8, generator), Tensor::Zeros({4, 8}));
  ExpectBitEqual(LinearInit::Zero().Bias(4, 8, generator), Tensor::Zeros({4}));
}

TEST(InitTest, SeedsAndStreamsDiffer) {
  Generator one(1), one_again(1), two(2);
  const Tensor first = LinearInit::PyTorchDefault().Weight(8, 8, one);
  const Tensor second = LinearInit::PyTorchDefault().Weight(8, 8, one);
  const Tensor other_seed = LinearInit::PyTorchDefault().Weight(8, 8, two);
  ExpectBitEqual(LinearInit::PyTorchDefault().Weight(8, 8, one_again), first);
  for (int i = 0; i < 4; ++i) {
    EXPECT_NE(first.data<float>()[i], second.data<float>()[i]);
    EXPECT_NE(first.data<float>()[i], other_seed.data<float>()[i]);
  }
}

TEST(InitTest, AZeroLayerDoesNotShiftTheNextOnesNumbers) {
  Generator with_zero(3), without(3);
  LinearInit::Zero().Weight(8, 8, with_zero);
  LinearInit::PyTorchDefault().Weight(8, 8, without);
  ExpectBitEqual(LinearInit::PyTorchDefault().Weight(8, 8, with_zero),
                 LinearInit::PyTorchDefault().Weight(8, 8, without));
}

TEST(InitTest, UnsetWeightsLeaveOtherValuesAsTheyAre) {
  Generator filled(1), unset(1);
  Tensor weight;
  LinearInit::PyTorchDefault().Weight(8, 4, filled);
  {
    const UnsetWeightsScope outer;
    { const UnsetWeightsScope inner; }
    weight = LinearInit::PyTorchDefault().Weight(8, 4, unset);
  }
  EXPECT_EQ(weight.shape(), (Shape{8, 4}));
  // The scope is over, and the generator draws on as it would have without it.
  ExpectBitEqual(LinearInit::PyTorchDefault().Weight(8, 4, unset), LinearInit::PyTorchDefault().Weight(8, 4, filled));
  const UnsetWeightsScope scope;
  ExpectBitEqual(LinearInit::PyTorchDefault().Bias(8, 4, unset), LinearInit::PyTorchDefault().Bias(8, 4, filled));
}

}  // namespace
}  // namespace twofour::nn
