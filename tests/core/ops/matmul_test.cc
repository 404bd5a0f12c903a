#include "twofour/core/ops/matmul.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "twofour/core/error.h"
#include "twofour/core/ops/reduction.h"

#include "tests/support/gradient_checker.h"
#include "tests/support/tensors.h"

namespace twofour {
namespace {

using test::CheckGradients;
using test::ExpectBitEqual;
using test::ExpectClose;
using test::F32;
using test::F64;
using test::I32;
using test::Leaf;
using test::RandomF32;
using test::RandomF64;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

Tensor MatMulOf(const std::vector<Tensor>& in) { return MatMul(in[0], in[1]); }
Tensor LinearOf(const std::vector<Tensor>& in) { return Linear(in[0], in[1], in[2]); }

TEST(MatMulTest, KnownProduct) {
  const Tensor a = F32({1, 2, 3, 4, 5, 6}, {2, 3}), b = F32({1, 0, 2, 0, 1, 2, -1, 1, 0, 5, 5, 5}, {3, 4});
  ExpectBitEqual(MatMul(a, b), F32({3, 19, 15, 17, 9, 40, 33, 35}, {2, 4}));
}

TEST(MatMulTest, Gradients) {
  const std::vector<std::array<int64_t, 3>> sizes = {{1, 1, 1}, {2, 3, 5}, {7, 1, 13}, {1, 17, 1},
                                                     {0, 3, 2}, {3, 0, 2}, {3, 2, 0},  {11, 7, 5}};
  for (const auto& [m, k, n] : sizes) {
    SCOPED_TRACE(ToString({m, k, n}));
    const Tensor a = RandomF64({m, k}, {1}), b = RandomF64({k, n}, {2});
    EXPECT_TRUE(CheckGradients(MatMulOf, {Leaf(a), Leaf(b)}));
    EXPECT_TRUE(CheckGradients(MatMulOf, {Leaf(a), b}));
    EXPECT_TRUE(CheckGradients(MatMulOf, {a, Leaf(b)}));
  }
}

TEST(MatMulTest, GradientsAboveTheParallelThreshold) {
  const Tensor a = RandomF64({300, 70}, {1}), b = RandomF64({70, 521}, {2});
  EXPECT_TRUE(CheckGradients(MatMulOf, {Leaf(a), Leaf(b)}, {.max_varied = 3}));
}

TEST(MatMulTest, GradientOfASquare) {
  EXPECT_TRUE(CheckGradients([](const auto& in) { return MatMul(in[0], in[0]); }, {Leaf(RandomF64({3, 3}, {1}))}));
}

TEST(MatMulTest, EmptyInnerDimensionGivesZeros) {
  ExpectBitEqual(MatMul(Tensor::Empty({2, 0}), Tensor::Empty({0, 3})), Tensor::Zeros({2, 3}));
}

TEST(MatMulTest, Errors) {
  const Tensor a = Tensor::Zeros({2, 3}), b = Tensor::Zeros({4, 5});
  EXPECT_THAT([&] { MatMul(a, b); },
              ThrowsMessage<Error>(AllOf(HasSubstr("MatMul"), HasSubstr("[2, 3]"), HasSubstr("[4, 5]"),
                                         HasSubstr("expected [m, k] and [k, n]"))));
  EXPECT_THAT(
      [&] {
        MatMul(a, Tensor::Zeros({3, 2}, DType::kF64));
      },
      ThrowsMessage<Error>(AllOf(HasSubstr("MatMul"), HasSubstr("f64"))));
  EXPECT_THAT([&] { MatMul(a, Tensor::Zeros({3})); }, ThrowsMessage<Error>(HasSubstr("[3]")));
  EXPECT_THAT([&] { MatMul(Tensor(), a); }, ThrowsMessage<Error>(HasSubstr("MatMul: a is undefined")));
  EXPECT_THAT(
      [&] {
        MatMul(a, I32({1}, {1, 1}));
      },
      ThrowsMessage<Error>(HasSubstr("MatMul: b has dtype i32, expected f32 or f64")));
}

TEST(LinearTest, KnownProduct) {
  const Tensor x = F32({1, 2}, {1, 2}), weight = F32({1, 0, 0, 1, 3, -1}, {3, 2}), bias = F32({10, 20, 30}, {3});
  ExpectBitEqual(Linear(x, weight), F32({1, 2, 1}, {1, 3}));
  ExpectBitEqual(Linear(x, weight, bias), F32({11, 22, 31}, {1, 3}));
}

TEST(LinearTest, Gradients) {
  const std::vector<std::array<int64_t, 3>> sizes = {{1, 1, 1}, {4, 3, 5}, {0, 3, 2},
                                                     {5, 0, 2}, {5, 2, 0}, {13, 7, 11}};
  for (const auto& [batch, in_features, out_features] : sizes) {
    SCOPED_TRACE(ToString({batch, in_features, out_features}));
    const Tensor x = RandomF64({batch, in_features}, {1}), weight = RandomF64({out_features, in_features}, {2});
    const Tensor bias = RandomF64({out_features}, {3});
    for (int wanted = 1; wanted < 8; ++wanted) {
      EXPECT_TRUE(CheckGradients(
          LinearOf, {wanted & 1 ? Leaf(x) : x, wanted & 2 ? Leaf(weight) : weight, wanted & 4 ? Leaf(bias) : bias}));
    }
    EXPECT_TRUE(CheckGradients(LinearOf, {Leaf(x), Leaf(weight), Tensor()}));
  }
}

TEST(LinearTest, GradientsOfOtherRanks) {
  const Tensor weight = RandomF64({5, 3}, {2}), bias = RandomF64({5}, {3});
  for (const Shape& shape : {Shape{2, 4, 3}, Shape{3}, Shape{2, 0, 3}, Shape{1, 2, 2, 3}}) {
    SCOPED_TRACE(ToString(shape));
    EXPECT_TRUE(CheckGradients(LinearOf, {Leaf(RandomF64(shape, {1})), Leaf(weight), Leaf(bias)}));
  }
}

TEST(LinearTest, GradientsAboveTheParallelThreshold) {
  const Tensor x = RandomF64({270, 33}, {1}), weight = RandomF64({530, 33}, {2}), bias = RandomF64({530}, {3});
  EXPECT_TRUE(CheckGradients(LinearOf, {Leaf(x), Leaf(weight), Leaf(bias)}, {.max_varied = 3}));
}

TEST(LinearTest, EmptyBatchWithManyFeatures) {
  // More features than a block of the product has, so there would be offsets into nothing.
  const Tensor x = Leaf(Tensor::Empty({0, 520}, DType::kF64)), weight = Leaf(RandomF64({300, 520}, {2}));
  const Tensor bias = Leaf(RandomF64({300}, {3}));
  Sum(Linear(x, weight, bias)).Backward();
  ExpectBitEqual(x.grad(), Tensor::Zeros({0, 520}, DType::kF64));
  ExpectBitEqual(weight.grad(), Tensor::Zeros({300, 520}, DType::kF64));
  ExpectBitEqual(bias.grad(), Tensor::Zeros({300}, DType::kF64));
}

TEST(LinearTest, LeadingDimensionsAreRows) {
  const Tensor x = RandomF32({6, 4}, {1}), weight = RandomF32({5, 4}, {2}), bias = RandomF32({5}, {3});
  const Tensor y = Linear(x, weight, bias);
  ExpectBitEqual(Linear(x.View({2, 3, 4}), weight, bias), y.View({2, 3, 5}));
}

TEST(LinearTest, IsMatMulWithTheTranspose) {
  const Tensor x = RandomF64({4, 3}, {1}), weight = RandomF64({2, 3}, {2}), bias = RandomF64({2}, {3});
  Tensor transposed = Tensor::Empty({3, 2}, DType::kF64);
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 2; ++j) transposed.mutable_data<double>()[i * 2 + j] = weight.data<double>()[j * 3 + i];
  }
  Tensor expected = MatMul(x, transposed);
  for (int i = 0; i < 8; ++i) expected.mutable_data<double>()[i] += bias.data<double>()[i % 2];
  ExpectClose(Linear(x, weight, bias), expected, 1e-14, 1e-14);
}

TEST(LinearTest, Errors) {
  const Tensor x = Tensor::Zeros({2, 3}), weight = Tensor::Zeros({4, 3});
  EXPECT_THAT(
      [&] {
        Linear(x, Tensor::Zeros({4, 5}));
      },
      ThrowsMessage<Error>(AllOf(HasSubstr("Linear"), HasSubstr("[2, 3]"), HasSubstr("[4, 5]"),
                                 HasSubstr("[out_features, in_features]"))));
  EXPECT_THAT([&] { Linear(x, weight, Tensor::Zeros({3})); },
              ThrowsMessage<Error>(HasSubstr("Linear: bias has shape [3], expected [4]")));
  EXPECT_THAT([&] { Linear(x, weight, Tensor::Zeros({4}, DType::kF64)); },
              ThrowsMessage<Error>(HasSubstr("Linear: bias has dtype f64, expected f32")));
  EXPECT_THAT([&] { Linear(x, Tensor::Zeros({4, 3}, DType::kF64)); }, ThrowsMessage<Error>(HasSubstr("one dtype")));
  EXPECT_THAT([&] { Linear(Tensor::Scalar(1), Tensor::Zeros({4, 1})); }, ThrowsMessage<Error>(HasSubstr("x f32 []")));
  EXPECT_THAT([&] { Linear(Tensor(), weight); }, ThrowsMessage<Error>(HasSubstr("Linear: x is undefined")));
  EXPECT_THAT([&] { Linear(x, Tensor()); }, ThrowsMessage<Error>(HasSubstr("Linear: weight is undefined")));
}

}  // namespace
}  // namespace twofour
