#include "twofour/core/ops/broadcast.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
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
using test::RandomAwayFromZero;
using test::RandomF64;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

struct Shapes {
  Shape a, b, result;
};

/// Pairs that stretch one operand, the other, or both; at the front, in the middle and at the end.
const std::vector<Shapes>& Pairs() {
  static const std::vector<Shapes> pairs = {
      {{3, 5}, {5}, {3, 5}},
      {{3, 5}, {1, 5}, {3, 5}},
      {{3, 5}, {3, 1}, {3, 5}},
      {{3, 5}, {}, {3, 5}},
      {{}, {3, 5}, {3, 5}},
      {{3, 1}, {1, 5}, {3, 5}},
      {{3, 1}, {5}, {3, 5}},
      {{1}, {1, 1}, {1, 1}},
      {{2, 3, 4}, {3, 1}, {2, 3, 4}},
      {{2, 1, 4}, {3, 1}, {2, 3, 4}},
      {{2, 3, 4}, {2, 1, 1}, {2, 3, 4}},
      {{2, 1, 3, 1, 2}, {4, 1, 5, 1}, {2, 4, 3, 5, 2}},
      {{0, 3}, {1, 3}, {0, 3}},
      {{1, 3}, {0, 1}, {0, 3}},
      {{0}, {}, {0}},
      {{3, 2100}, {3, 1}, {3, 2100}},  // More than a piece.
      {{2, 1025}, {}, {2, 1025}},
  };
  return pairs;
}

/// The element of x that belongs to an element of the result, by their indices.
double Stretched(const Tensor& x, const Shape& result, int64_t element) {
  int64_t at = 0, stride = 1;
  for (size_t axis = result.size(), own = x.shape().size(); axis-- > 0; element /= result[axis]) {
    if (own == 0) break;
    const int64_t size = x.shape()[--own];
    at += (size == 1 ? 0 : element % result[axis]) * stride;
    stride *= size;
  }
  return x.data<double>()[at];
}

struct Op {
  const char* name;
  Tensor (*op)(const Tensor&, const Tensor&);
  double (*element)(double, double);
};

const Op kOps[] = {
    {"Add", Add, [](double a, double b) { return a + b; }},
    {"Sub", Sub, [](double a, double b) { return a - b; }},
    {"Mul", Mul, [](double a, double b) { return a * b; }},
    {"Div", Div, [](double a, double b) { return a / b; }},
};

TEST(BroadcastTest, EveryOpAgreesWithIndices) {
  for (const auto& [shape_a, shape_b, result] : Pairs()) {
    SCOPED_TRACE(ToString(shape_a) + " and " + ToString(shape_b));
    const Tensor a = RandomF64(shape_a, {1}), b = RandomAwayFromZero(shape_b, {2});
    for (const Op& op : kOps) {
      SCOPED_TRACE(op.name);
      const Tensor y = op.op(a, b);
      ASSERT_EQ(y.shape(), result);
      Tensor expected = Tensor::Empty(result, DType::kF64);
      for (int64_t i = 0; i < y.numel(); ++i) {
        expected.mutable_data<double>()[i] = op.element(Stretched(a, result, i), Stretched(b, result, i));
      }
      ExpectBitEqual(y, expected);
    }
  }
}

TEST(BroadcastTest, Gradients) {
  for (const auto& [shape_a, shape_b, result] : Pairs()) {
    SCOPED_TRACE(ToString(shape_a) + " and " + ToString(shape_b));
    const Tensor a = RandomF64(shape_a, {1}), b = RandomAwayFromZero(shape_b, {2});
    for (const Op& op : kOps) {
      SCOPED_TRACE(op.name);
      const auto function = [&](const auto& in) { return op.op(in[0], in[1]); };
      EXPECT_TRUE(CheckGradients(function, {Leaf(a), Leaf(b)}, {.max_varied = 20}));
      EXPECT_TRUE(CheckGradients(function, {a, Leaf(b)}, {.max_varied = 20}));
      EXPECT_TRUE(CheckGradients(function, {Leaf(a), b}, {.max_varied = 20}));
    }
  }
}

TEST(BroadcastTest, ThreadsDoNotMatter) {
  const Tensor a = RandomF64({101, 1, 70}, {1}).To(DType::kF32), b = RandomF64({33, 1}, {2}).To(DType::kF32);
  const test::ScopedNumThreads one(1);
  const Tensor expected = Mul(a, b), sums = SumTo(expected, {33, 1});
  const test::ScopedNumThreads three(3);
  ExpectBitEqual(Mul(a, b), expected);
  ExpectBitEqual(SumTo(expected, {33, 1}), sums);
}

TEST(ExpandTest, Values) {
  ExpectBitEqual(Expand(F32({1, 2}, {2}), {3, 2}), F32({1, 2, 1, 2, 1, 2}, {3, 2}));
  ExpectBitEqual(Expand(F32({1, 2}, {2, 1}), {2, 3}), F32({1, 1, 1, 2, 2, 2}, {2, 3}));
  ExpectBitEqual(Expand(Tensor::Scalar(4), {2}), F32({4, 4}, {2}));
  ExpectBitEqual(Expand(F32({1, 2}, {2}), {2}), F32({1, 2}, {2}));
}

TEST(ExpandTest, Gradients) {
  for (const auto& [shape_a, shape_b, result] : Pairs()) {
    const Shape& shape = result;
    const auto expand = [&](const auto& in) { return Expand(in[0], shape); };
    EXPECT_TRUE(CheckGradients(expand, {Leaf(RandomF64(shape_a, {1}))}, {.max_varied = 20}));
    EXPECT_TRUE(CheckGradients(expand, {Leaf(RandomF64(shape_b, {1}))}, {.max_varied = 20}));
  }
}

TEST(BroadcastTest, Errors) {
  EXPECT_THAT(
      [] {
        Add(Tensor::Zeros({2, 3}), Tensor::Zeros({3, 2}));
      },
      ThrowsMessage<Error>(HasSubstr("Add: a has shape [2, 3] and b has shape [3, 2], which do not go together: "
                                     "aligned at their last dimensions, sizes must be equal or 1, and here are "
                                     "2 and 3")));
  EXPECT_THAT(
      [] {
        Mul(Tensor::Zeros({4}), Tensor::Zeros({2, 0}));
      },
      ThrowsMessage<Error>(HasSubstr("Mul: a has shape [4] and b has shape [2, 0]")));
  EXPECT_THAT(
      [] {
        Expand(Tensor::Zeros({2, 3}), {3});
      },
      ThrowsMessage<Error>(HasSubstr("Expand: x has shape [2, 3], which does not stretch to [3]")));
  EXPECT_THAT([] { Expand(Tensor::Zeros({2}), {3}); }, ThrowsMessage<Error>(HasSubstr("Expand: x has shape [2]")));
  EXPECT_THAT([] { Expand(Tensor(), {3}); }, ThrowsMessage<Error>(HasSubstr("Expand: x is undefined")));
}

}  // namespace
}  // namespace twofour
