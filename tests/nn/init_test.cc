#include "twofour/nn/init.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/support/tensors.h"

namespace twofour::nn {
namespace {

using test::ExpectBitEqual;

/// Uniform in [-bound, bound]: within it, close to both ends, and with the right mean and spread.
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
  const Tensor weight = InitLinearWeight(LinearInit::kPyTorchDefault, 400, 25, generator);
  EXPECT_EQ(weight.shape(), (Shape{400, 25}));
  ExpectUniform(weight, 0.2);
  const Tensor bias = InitLinearBias(LinearInit::kPyTorchDefault, 5000, 100, generator);
  EXPECT_EQ(bias.shape(), (Shape{5000}));
  ExpectUniform(bias, 0.1);
}

TEST(InitTest, ZeroIsZero) {
  Generator generator(1);
  ExpectBitEqual(InitLinearWeight(LinearInit::kZero, 4, 8, generator), Tensor::Zeros({4, 8}));
  ExpectBitEqual(InitLinearBias(LinearInit::kZero, 4, 8, generator), Tensor::Zeros({4}));
}

TEST(InitTest, SeedsAndStreamsDiffer) {
  Generator one(1), one_again(1), two(2);
  const Tensor first = InitLinearWeight(LinearInit::kPyTorchDefault, 8, 8, one);
  const Tensor second = InitLinearWeight(LinearInit::kPyTorchDefault, 8, 8, one);
  const Tensor other_seed = InitLinearWeight(LinearInit::kPyTorchDefault, 8, 8, two);
  ExpectBitEqual(InitLinearWeight(LinearInit::kPyTorchDefault, 8, 8, one_again), first);
  for (int i = 0; i < 4; ++i) {
    EXPECT_NE(first.data<float>()[i], second.data<float>()[i]);
    EXPECT_NE(first.data<float>()[i], other_seed.data<float>()[i]);
  }
}

TEST(InitTest, AZeroLayerDoesNotShiftTheNextOnesNumbers) {
  Generator with_zero(3), without(3);
  InitLinearWeight(LinearInit::kZero, 8, 8, with_zero);
  InitLinearWeight(LinearInit::kPyTorchDefault, 8, 8, without);
  ExpectBitEqual(InitLinearWeight(LinearInit::kPyTorchDefault, 8, 8, with_zero),
                 InitLinearWeight(LinearInit::kPyTorchDefault, 8, 8, without));
}

}  // namespace
}  // namespace twofour::nn
