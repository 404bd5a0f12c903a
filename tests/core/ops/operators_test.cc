#include "twofour/core/ops/operators.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "twofour/core/error.h"

#include "tests/support/gradient_checker.h"
#include "tests/support/tensors.h"

namespace twofour {
namespace {

using test::CheckGradients;
using test::ExpectBitEqual;
using test::F32;
using test::Leaf;
using test::RandomAwayFromZero;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(OperatorsTest, OfTwoTensors) {
  const Tensor a = F32({6, -2}, {2}), b = F32({3, 4}, {2});
  ExpectBitEqual(a + b, F32({9, 2}, {2}));
  ExpectBitEqual(a - b, F32({3, -6}, {2}));
  ExpectBitEqual(a * b, F32({18, -8}, {2}));
  ExpectBitEqual(a / b, F32({2, -0.5}, {2}));
  ExpectBitEqual(-a, F32({-6, 2}, {2}));
}

TEST(OperatorsTest, OfATensorAndANumber) {
  const Tensor x = F32({6, -2}, {2});
  ExpectBitEqual(x + 1, F32({7, -1}, {2}));
  ExpectBitEqual(1 + x, F32({7, -1}, {2}));
  ExpectBitEqual(x - 1, F32({5, -3}, {2}));
  ExpectBitEqual(1 - x, F32({-5, 3}, {2}));
  ExpectBitEqual(x * 0.5, F32({3, -1}, {2}));
  ExpectBitEqual(0.5 * x, F32({3, -1}, {2}));
  ExpectBitEqual(x / 4, F32({1.5, -0.5}, {2}));
  ExpectBitEqual(3 / x, F32({0.5, -1.5}, {2}));
}

TEST(OperatorsTest, ANumberBesideNarrowTensorsIsNotRounded) {
  // 1.00390625 is halfway between two numbers of bf16. The sum is 257.00390625, which is closer to 258 than to 256.
  for (const DType dtype : {DType::kBF16, DType::kF16}) {
    const Tensor x = F32({256}, {1}).To(dtype);
    ExpectBitEqual(x + 1.00390625, F32({257.00390625f}, {1}).To(dtype));
    ExpectBitEqual(x / 3, F32({256.0f / 3}, {1}).To(dtype));
  }
}

TEST(OperatorsTest, Gradients) {
  const Tensor a = RandomAwayFromZero({2, 3}, {1}), b = RandomAwayFromZero({3}, {2});
  EXPECT_TRUE(
      CheckGradients([](const auto& in) { return (in[0] + in[1]) * in[0] - in[0] / in[1]; }, {Leaf(a), Leaf(b)}));
  EXPECT_TRUE(CheckGradients([](const auto& in) { return (2 - in[0] * 3) / 4 + 1 / in[0] - (-in[0]); }, {Leaf(a)}));
}

TEST(OperatorsTest, Errors) {
  EXPECT_THAT([] { Tensor() + 1; }, ThrowsMessage<Error>(HasSubstr("Add: a is undefined")));
  EXPECT_THAT([] { -Tensor(); }, ThrowsMessage<Error>(HasSubstr("Scale: x is undefined")));
}

}  // namespace
}  // namespace twofour
