#include "twofour/core/ops/layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/ops/arithmetic.h"

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

/// 0, 1, 2, ... in any dtype.
Tensor Counted(const Shape& shape, DType dtype) {
  std::vector<int32_t> values(static_cast<size_t>(NumElements(shape)));
  std::iota(values.begin(), values.end(), 0);
  return I32(values, shape).To(dtype);
}

/// The element at these indices of an f64 tensor.
double At(const Tensor& x, const std::vector<int64_t>& indices) {
  int64_t at = 0;
  for (size_t axis = 0; axis < indices.size(); ++axis) at = at * x.shape()[axis] + indices[axis];
  return x.data<double>()[at];
}

/// Calls function(indices) for all elements of a shape.
template <typename F>
void ForEachIndex(const Shape& shape, F function) {
  std::vector<int64_t> indices(shape.size());
  for (int64_t i = 0; i < NumElements(shape); ++i) {
    int64_t rest = i;
    for (size_t axis = shape.size(); axis-- > 0; rest /= shape[axis]) indices[axis] = rest % shape[axis];
    function(indices);
  }
}

TEST(TransposeTest, EveryPairOfAxesAgreesWithIndices) {
  for (const Shape& shape :
       {Shape{3, 5}, Shape{2, 3, 4}, Shape{3, 1, 2, 5}, Shape{0, 3}, Shape{67, 41}, Shape{2, 70, 3, 35}}) {
    const Tensor x = RandomF64(shape, {1});
    for (int first = 0; first < x.rank(); ++first) {
      for (int second = 0; second < x.rank(); ++second) {
        SCOPED_TRACE(ToString(shape) + ": " + std::to_string(first) + ", " + std::to_string(second));
        const Tensor y = Transpose(x, first, second - x.rank());
        Shape swapped = shape;
        std::swap(swapped[static_cast<size_t>(first)], swapped[static_cast<size_t>(second)]);
        ASSERT_EQ(y.shape(), swapped);
        ForEachIndex(shape, [&](std::vector<int64_t> indices) {
          const double element = At(x, indices);
          std::swap(indices[static_cast<size_t>(first)], indices[static_cast<size_t>(second)]);
          ASSERT_EQ(At(y, indices), element);
        });
      }
    }
  }
}

TEST(TransposeTest, OfEveryDType) {
  for (const DType dtype :
       {DType::kBool, DType::kU8, DType::kF8E4M3, DType::kI16, DType::kF16, DType::kBF16, DType::kI32, DType::kI64}) {
    SCOPED_TRACE(NameOf(dtype));
    const Tensor x = Counted({5, 3}, dtype);
    const Tensor y = Transpose(x);
    EXPECT_EQ(y.dtype(), dtype);
    ExpectBitEqual(y.To(DType::kF64), Transpose(x.To(DType::kF64)));
    ExpectBitEqual(Transpose(y), x);
  }
}

TEST(TransposeTest, ThreadsDoNotMatter) {
  const Tensor x = RandomF64({3, 301, 203}, {1});
  const test::ScopedNumThreads one(1);
  const Tensor expected = Transpose(x), outer = Transpose(x, 0, 1);
  const test::ScopedNumThreads three(3);
  ExpectBitEqual(Transpose(x), expected);
  ExpectBitEqual(Transpose(x, 0, 1), outer);
}

TEST(TransposeTest, Gradients) {
  const Tensor x = RandomF64({2, 3, 4}, {1});
  EXPECT_TRUE(CheckGradients([](const auto& in) { return Transpose(in[0]); }, {Leaf(x)}));
  EXPECT_TRUE(CheckGradients([](const auto& in) { return Transpose(in[0], 0, 2); }, {Leaf(x)}));
  EXPECT_TRUE(CheckGradients([](const auto& in) { return Transpose(in[0], 1, 0); }, {Leaf(x)}));
  EXPECT_TRUE(CheckGradients([](const auto& in) { return Transpose(in[0], 1, 1); }, {Leaf(x)}));
}

TEST(ConcatTest, Values) {
  const Tensor a = F32({1, 2, 3, 4}, {2, 2}), b = F32({5, 6}, {2, 1});
  ExpectBitEqual(Concat({a, b}, 1), F32({1, 2, 5, 3, 4, 6}, {2, 3}));
  ExpectBitEqual(Concat({a, b}, -1), F32({1, 2, 5, 3, 4, 6}, {2, 3}));
  ExpectBitEqual(Concat({a, a}), F32({1, 2, 3, 4, 1, 2, 3, 4}, {4, 2}));
  ExpectBitEqual(Concat({a}), a);
  ExpectBitEqual(Concat({Tensor::Zeros({0, 2}), a}), a);
  ExpectBitEqual(Concat({I32({1}, {1}), I32({2, 3}, {2})}), I32({1, 2, 3}, {3}));
}

TEST(ConcatTest, SlicesGiveThePartsBack) {
  for (int axis = 0; axis < 3; ++axis) {
    const Tensor whole = RandomF64({5, 6, 7}, {1});
    const int64_t size = whole.dim(axis);
    ExpectBitEqual(Concat({Slice(whole, axis, 0, 2), Slice(whole, axis, 2, 2), Slice(whole, axis, 2, size)}, axis),
                   whole);
  }
}

TEST(ConcatTest, Gradients) {
  const Tensor a = RandomF64({2, 3, 4}, {1}), b = RandomF64({2, 1, 4}, {2}), c = RandomF64({2, 0, 4}, {3});
  const auto concat = [](const auto& in) { return Concat(in, 1); };
  EXPECT_TRUE(CheckGradients(concat, {Leaf(a), Leaf(b), Leaf(c)}));
  EXPECT_TRUE(CheckGradients(concat, {a, Leaf(b)}));
  EXPECT_TRUE(CheckGradients([](const auto& in) { return Concat({in[0], in[0]}, -1); }, {Leaf(a)}));
}

TEST(SliceTest, Values) {
  const Tensor x = F32({1, 2, 3, 4, 5, 6}, {2, 3});
  ExpectBitEqual(Slice(x, 0, 1, 2), F32({4, 5, 6}, {1, 3}));
  ExpectBitEqual(Slice(x, 1, 0, 2), F32({1, 2, 4, 5}, {2, 2}));
  ExpectBitEqual(Slice(x, 1, -2, 3), F32({2, 3, 5, 6}, {2, 2}));
  ExpectBitEqual(Slice(x, -1, 0, -1), F32({1, 2, 4, 5}, {2, 2}));
  ExpectBitEqual(Slice(x, 0, 2, 2), Tensor::Zeros({0, 3}));
  EXPECT_FALSE(Slice(x, 0, 0, 2).IsSameStorage(x));
}

TEST(SliceTest, Gradients) {
  const Tensor x = RandomF64({4, 3, 5}, {1});
  for (int axis = 0; axis < 3; ++axis) {
    EXPECT_TRUE(CheckGradients([=](const auto& in) { return Slice(in[0], axis, 1, 3); }, {Leaf(x)}));
    EXPECT_TRUE(CheckGradients([=](const auto& in) { return Slice(in[0], axis, 1, 1); }, {Leaf(x)}));
  }
}

TEST(LayoutTest, Errors) {
  const Tensor x = Tensor::Zeros({2, 3});
  EXPECT_THAT([] { Transpose(Tensor()); }, ThrowsMessage<Error>(HasSubstr("Transpose: x is undefined")));
  EXPECT_THAT([] { Transpose(Tensor::Zeros({2})); },
              ThrowsMessage<Error>(HasSubstr("Transpose: axis -2 of x, which has shape [2]: expected -1 to 0")));
  EXPECT_THAT([] { Concat({}); }, ThrowsMessage<Error>(HasSubstr("Concat: got no tensors, expected at least one")));
  EXPECT_THAT([&] { Concat({x, Tensor()}); }, ThrowsMessage<Error>(HasSubstr("Concat: tensors[1] is undefined")));
  EXPECT_THAT(
      [&] {
        Concat({x, Tensor::Zeros({2, 2})});
      },
      ThrowsMessage<Error>(HasSubstr("Concat: tensors[1] has shape [2, 2], expected [2, 3]")));
  EXPECT_THAT(
      [&] {
        Concat({x, Tensor::Zeros({3})});
      },
      ThrowsMessage<Error>(HasSubstr("Concat: tensors[1] has shape [3], expected")));
  EXPECT_THAT(
      [&] {
        Concat({x, I32({1, 2, 3}, {1, 3})});
      },
      ThrowsMessage<Error>(HasSubstr("Concat: tensors[1] has dtype i32, expected f32")));
  EXPECT_THAT([&] { Concat({x, x}, 2); }, ThrowsMessage<Error>(HasSubstr("Concat: axis 2 of tensors[0]")));
  EXPECT_THAT([&] { Slice(x, 1, 2, 4); },
              ThrowsMessage<Error>(HasSubstr("Slice: [2, 4) is no range of dimension 1 of x, which has shape [2, 3]")));
  EXPECT_THAT([&] { Slice(x, 1, 2, 1); }, ThrowsMessage<Error>(HasSubstr("Slice: [2, 1) is no range")));
  EXPECT_THAT([&] { Slice(x, 0, -3, 1); }, ThrowsMessage<Error>(HasSubstr("Slice: [-3, 1) is no range")));
  EXPECT_THAT([&] { Slice(x, -3, 0, 1); }, ThrowsMessage<Error>(HasSubstr("Slice: axis -3 of x")));
}

}  // namespace
}  // namespace twofour
