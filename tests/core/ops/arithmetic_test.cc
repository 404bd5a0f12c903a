#include "twofour/core/ops/arithmetic.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "twofour/core/error.h"

#include "tests/support/gradient_checker.h"
#include "tests/support/tensors.h"

namespace twofour {
namespace {

using test::CheckGradients;
using test::ExpectBitEqual;
using test::F32;
using test::I32;
using test::Leaf;
using test::RandomF64;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

const std::vector<Shape>& Shapes() {
  static const std::vector<Shape> shapes = {{}, {1}, {7}, {3, 5}, {2, 3, 4}, {0}, {0, 3}, {4, 0}};
  return shapes;
}
const Shape kLarge = {331, 101};  // More than twice kElementwiseGrain.

TEST(AddTest, Values) { ExpectBitEqual(Add(F32({1, 2}, {2}), F32({0.5, -2}, {2})), F32({1.5, 0}, {2})); }

TEST(AddTest, Gradients) {
  const auto add = [](const auto& in) { return Add(in[0], in[1]); };
  for (const Shape& shape : Shapes()) {
    SCOPED_TRACE(ToString(shape));
    const Tensor a = RandomF64(shape, {1}), b = RandomF64(shape, {2});
    EXPECT_TRUE(CheckGradients(add, {Leaf(a), Leaf(b)}));
    EXPECT_TRUE(CheckGradients(add, {Leaf(a), b}));
    EXPECT_TRUE(CheckGradients(add, {a, Leaf(b)}));
  }
  EXPECT_TRUE(CheckGradients(add, {Leaf(RandomF64(kLarge, {1})), Leaf(RandomF64(kLarge, {2}))}, {.max_varied = 3}));
}

TEST(MulTest, Values) { ExpectBitEqual(Mul(F32({3, 2}, {2}), F32({0.5, -2}, {2})), F32({1.5, -4}, {2})); }

TEST(MulTest, Gradients) {
  const auto mul = [](const auto& in) { return Mul(in[0], in[1]); };
  for (const Shape& shape : Shapes()) {
    SCOPED_TRACE(ToString(shape));
    const Tensor a = RandomF64(shape, {1}), b = RandomF64(shape, {2});
    EXPECT_TRUE(CheckGradients(mul, {Leaf(a), Leaf(b)}));
    EXPECT_TRUE(CheckGradients(mul, {Leaf(a), b}));
    EXPECT_TRUE(CheckGradients(mul, {a, Leaf(b)}));
    EXPECT_TRUE(CheckGradients([](const auto& in) { return Mul(in[0], in[0]); }, {Leaf(a)}));
  }
  EXPECT_TRUE(CheckGradients(mul, {Leaf(RandomF64(kLarge, {1})), Leaf(RandomF64(kLarge, {2}))}, {.max_varied = 3}));
}

TEST(ScaleTest, Values) { ExpectBitEqual(Scale(F32({3, -2}, {2}), -0.5), F32({-1.5, 1}, {2})); }

TEST(ScaleTest, Gradients) {
  const auto scale = [](const auto& in) { return Scale(in[0], -1.7); };
  for (const Shape& shape : Shapes()) EXPECT_TRUE(CheckGradients(scale, {Leaf(RandomF64(shape, {1}))}));
  EXPECT_TRUE(CheckGradients(scale, {Leaf(RandomF64(kLarge, {1}))}, {.max_varied = 3}));
}

TEST(SumTest, Values) {
  ExpectBitEqual(Sum(F32({3, -2, 0.25}, {3})), Tensor::Scalar(1.25));
  ExpectBitEqual(Sum(Tensor::Zeros({0, 4})), Tensor::Scalar(0));
  ExpectBitEqual(Mean(F32({3, -2, 0.5, 0.5}, {2, 2})), Tensor::Scalar(0.5));
  ExpectBitEqual(Mean(Tensor::Zeros({0, 4})), Tensor::Scalar(0));
}

TEST(SumTest, SmallTermsAreNotLost) {
  // In f32 arithmetic the ones would vanish next to 2^25.
  Tensor x = Tensor::Full({100001}, 1.0);
  x.mutable_data<float>()[0] = 0x1p25f;
  EXPECT_EQ(Sum(x).item(), 0x1p25 + 100000.0);
}

TEST(SumTest, Gradients) {
  const auto sum = [](const auto& in) { return Sum(in[0]); };
  const auto mean = [](const auto& in) { return Mean(in[0]); };
  for (const Shape& shape : Shapes()) {
    SCOPED_TRACE(ToString(shape));
    EXPECT_TRUE(CheckGradients(sum, {Leaf(RandomF64(shape, {1}))}));
    EXPECT_TRUE(CheckGradients(mean, {Leaf(RandomF64(shape, {1}))}));
  }
  EXPECT_TRUE(CheckGradients(sum, {Leaf(RandomF64(kLarge, {1}))}, {.max_varied = 3}));
  EXPECT_TRUE(CheckGradients(mean, {Leaf(RandomF64(kLarge, {1}))}, {.max_varied = 3}));
}

TEST(ReshapeTest, SharesTheElements) {
  const Tensor x = F32({1, 2, 3, 4, 5, 6}, {2, 3});
  const Tensor y = Reshape(x, {3, 2});
  EXPECT_TRUE(y.IsSameStorage(x));
  ExpectBitEqual(y, F32({1, 2, 3, 4, 5, 6}, {3, 2}));
}

TEST(ReshapeTest, InfersOneSize) {
  const Tensor x = Tensor::Zeros({2, 3, 4});
  EXPECT_EQ(Reshape(x, {-1}).shape(), Shape({24}));
  EXPECT_EQ(Reshape(x, {4, -1}).shape(), Shape({4, 6}));
  EXPECT_EQ(Reshape(x, {-1, 8, 3}).shape(), Shape({1, 8, 3}));
  EXPECT_EQ(Reshape(Tensor::Scalar(1), {-1}).shape(), Shape({1}));
  EXPECT_EQ(Reshape(Tensor::Zeros({0, 3}), {-1, 3}).shape(), Shape({0, 3}));
  EXPECT_EQ(Reshape(I32({1, 2}, {2}), {-1, 1}).shape(), Shape({2, 1}));
}

TEST(ReshapeTest, Gradients) {
  const Tensor x = RandomF64({2, 3, 4}, {1});
  for (const Shape& shape : {Shape{24}, Shape{-1, 6}, Shape{4, 3, 2}, Shape{2, 3, 4}}) {
    EXPECT_TRUE(CheckGradients([&](const auto& in) { return Reshape(in[0], shape); }, {Leaf(x)}));
  }
  EXPECT_TRUE(CheckGradients([](const auto& in) { return Reshape(in[0], {}); }, {Leaf(RandomF64({1, 1}, {1}))}));
  EXPECT_TRUE(CheckGradients([](const auto& in) { return Reshape(in[0], {5, 0}); }, {Leaf(RandomF64({0, 3}, {1}))}));
  // Reshapes of a leaf share its elements, and another op uses them.
  EXPECT_TRUE(CheckGradients(
      [](const auto& in) {
        return Mul(Reshape(in[0], {6, 4}), Reshape(in[0], {6, 4}));
      },
      {Leaf(x)}));
}

TEST(ReshapeTest, Errors) {
  const Tensor x = Tensor::Zeros({2, 3});
  EXPECT_THAT(
      [&] {
        Reshape(x, {4, 2});
      },
      ThrowsMessage<Error>(AllOf(HasSubstr("Reshape"), HasSubstr("[2, 3]"), HasSubstr("[4, 2]"))));
  EXPECT_THAT(
      [&] {
        Reshape(x, {4, -1});
      },
      ThrowsMessage<Error>(AllOf(HasSubstr("Reshape"), HasSubstr("[2, 3]"), HasSubstr("[4, -1]"))));
  EXPECT_THAT([&] { Reshape(x, {-1, -1}); }, ThrowsMessage<Error>(AllOf(HasSubstr("Reshape"), HasSubstr("[-1, -1]"))));
  EXPECT_THAT([&] { Reshape(x, {-2, -3}); }, ThrowsMessage<Error>(AllOf(HasSubstr("Reshape"), HasSubstr("[-2, -3]"))));
  EXPECT_THAT(
      [&] {
        Reshape(Tensor::Zeros({0}), {0, -1});
      },
      ThrowsMessage<Error>(AllOf(HasSubstr("Reshape"), HasSubstr("[0, -1]"))));
  EXPECT_THAT([&] { Reshape(Tensor(), {1}); }, ThrowsMessage<Error>(HasSubstr("Reshape: x is undefined")));
  EXPECT_THAT([&] { Reshape(Tensor(), {-1}); }, ThrowsMessage<Error>(HasSubstr("Reshape: x is undefined")));
}

TEST(ArithmeticTest, Errors) {
  const Tensor x = Tensor::Zeros({2, 3}), other = Tensor::Zeros({3, 2}), f64 = Tensor::Zeros({2, 3}, DType::kF64);
  EXPECT_THAT([&] { Add(x, other); }, ThrowsMessage<Error>(HasSubstr("Add: b has shape [3, 2], expected [2, 3]")));
  EXPECT_THAT([&] { Add(x, f64); }, ThrowsMessage<Error>(HasSubstr("Add: b has dtype f64, expected f32")));
  EXPECT_THAT([&] { Add(Tensor(), x); }, ThrowsMessage<Error>(HasSubstr("Add: a is undefined")));
  EXPECT_THAT([&] { Add(x, Tensor()); }, ThrowsMessage<Error>(HasSubstr("Add: b is undefined")));
  EXPECT_THAT([&] { Mul(x, other); }, ThrowsMessage<Error>(HasSubstr("Mul: b has shape [3, 2], expected [2, 3]")));
  EXPECT_THAT([&] { Mul(I32({1}, {1}), x); },
              ThrowsMessage<Error>(HasSubstr("Mul: a has dtype i32, expected f32, f64, f16 or bf16")));
  EXPECT_THAT([&] { Scale(Tensor(), 1); }, ThrowsMessage<Error>(HasSubstr("Scale: x is undefined")));
  EXPECT_THAT([&] { Sum(I32({1}, {1})); }, ThrowsMessage<Error>(HasSubstr("Sum: x has dtype i32")));
  EXPECT_THAT([&] { Mean(Tensor()); }, ThrowsMessage<Error>(HasSubstr("Mean: x is undefined")));
}

}  // namespace
}  // namespace twofour
