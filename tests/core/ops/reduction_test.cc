#include "twofour/core/ops/reduction.h"

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
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

const std::vector<Shape>& Shapes() {
  static const std::vector<Shape> shapes = {{}, {1}, {7}, {3, 5}, {2, 3, 4}, {0}, {0, 3}, {4, 0}};
  return shapes;
}
const Shape kLarge = {331, 101};  // More than twice kElementwiseGrain.

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

/// The sums over an axis by indices, one element at a time.
Tensor SumsByIndex(const Tensor& x, size_t axis) {
  Shape shape = x.shape();
  const int64_t size = shape[axis];
  shape.erase(shape.begin() + static_cast<int64_t>(axis));
  int64_t inner = 1;
  for (size_t i = axis; i < shape.size(); ++i) inner *= shape[i];
  Tensor sums = Tensor::Zeros(shape, x.dtype());
  double* const to = sums.mutable_data<double>();
  for (int64_t i = 0; i < x.numel(); ++i) to[i / (size * inner) * inner + i % inner] += x.data<double>()[i];
  return sums;
}

TEST(SumOverAxisTest, AgreesWithSumsByIndex) {
  // The last two have many elements to sum, along the rows and across them, and the first of these many rows.
  for (const Shape& shape : {Shape{7}, Shape{3, 5}, Shape{2, 3, 4}, Shape{3, 1, 2, 5}, Shape{0, 3}, Shape{4, 0, 2},
                             Shape{40, 33, 9}, Shape{2, 9000}, Shape{600, 70}}) {
    const Tensor x = RandomF64(shape, {1});
    for (int axis = 0; axis < x.rank(); ++axis) {
      SCOPED_TRACE(ToString(shape) + ", axis " + std::to_string(axis));
      const Tensor expected = SumsByIndex(x, static_cast<size_t>(axis));
      test::ExpectClose(Sum(x, axis), expected, 1e-12, 1e-12);
      ExpectBitEqual(Sum(x, axis - x.rank()), Sum(x, axis));
      test::ExpectClose(Sum(x.To(DType::kF32), axis).To(DType::kF64), expected, 1e-6, 1e-5);
      Shape kept = shape;
      kept[static_cast<size_t>(axis)] = 1;
      ExpectBitEqual(Sum(x, axis, true), Sum(x, axis).View(kept));
    }
  }
}

TEST(SumOverAxisTest, Values) {
  const Tensor x = F32({1, 2, 3, 4, 5, 6}, {2, 3});
  ExpectBitEqual(Sum(x, 0), F32({5, 7, 9}, {3}));
  ExpectBitEqual(Sum(x, -1), F32({6, 15}, {2}));
  ExpectBitEqual(Mean(x, 1), F32({2, 5}, {2}));
  ExpectBitEqual(Mean(x, 0, true), F32({2.5, 3.5, 4.5}, {1, 3}));
  ExpectBitEqual(Sum(F32({1, 2}, {2}), 0), Tensor::Scalar(3));
  ExpectBitEqual(Mean(Tensor::Zeros({3, 0}), 1), Tensor::Zeros({3}));
}

TEST(SumOverAxisTest, ThreadsDoNotMatter) {
  for (const Shape& shape : {Shape{5, 4000, 3}, Shape{300, 20, 50}, Shape{2, 100000}}) {
    const Tensor x = RandomF64(shape, {1}).To(DType::kF32);
    for (int axis = 0; axis < x.rank(); ++axis) {
      const test::ScopedNumThreads one(1);
      const Tensor expected = Sum(x, axis);
      for (const int threads : {2, 3}) {
        const test::ScopedNumThreads scope(threads);
        ExpectBitEqual(Sum(x, axis), expected);
      }
    }
  }
}

TEST(SumOverAxisTest, Gradients) {
  for (const Shape& shape : {Shape{7}, Shape{3, 5}, Shape{2, 3, 4}, Shape{0, 3}, Shape{4, 0}}) {
    const Tensor x = RandomF64(shape, {1});
    for (int axis = 0; axis < x.rank(); ++axis) {
      SCOPED_TRACE(ToString(shape) + ", axis " + std::to_string(axis));
      for (const bool keep : {false, true}) {
        EXPECT_TRUE(CheckGradients([=](const auto& in) { return Sum(in[0], axis, keep); }, {Leaf(x)}));
        EXPECT_TRUE(CheckGradients([=](const auto& in) { return Mean(in[0], axis, keep); }, {Leaf(x)}));
      }
    }
  }
}

TEST(ReductionTest, Errors) {
  EXPECT_THAT([&] { Sum(I32({1}, {1})); }, ThrowsMessage<Error>(HasSubstr("Sum: x has dtype i32")));
  EXPECT_THAT([&] { Mean(Tensor()); }, ThrowsMessage<Error>(HasSubstr("Mean: x is undefined")));
  EXPECT_THAT([&] { Sum(Tensor(), 0); }, ThrowsMessage<Error>(HasSubstr("Sum: x is undefined")));
  EXPECT_THAT(
      [&] {
        Sum(Tensor::Zeros({2, 3}), 2);
      },
      ThrowsMessage<Error>(HasSubstr("Sum: axis 2 of x, which has shape [2, 3]: expected -2 to 1")));
  EXPECT_THAT(
      [&] {
        Mean(Tensor::Zeros({2, 3}), -3);
      },
      ThrowsMessage<Error>(HasSubstr("Mean: axis -3 of x, which has shape [2, 3]: expected -2 to 1")));
  EXPECT_THAT(
      [&] { Sum(Tensor::Scalar(1), 0); },
      ThrowsMessage<Error>(HasSubstr("Sum: axis 0 of x, which has shape []: expected a tensor with dimensions")));
}

}  // namespace
}  // namespace twofour
