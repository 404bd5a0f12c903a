
#include "twofour/core/ops/arithmetic.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

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
using test::RandomAwayFromZero;
using test::RandomF64;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

const std::vector<Shape>& Shapes() {
  static const std::vector<Shape> shapes = {{}, {1}, {7}, {3, 5}, {2, 3, 4}, {0}, {0, 3}, {4, 0}};
  return shapes;
}
constexpr float kInf = std::numeric_limits<float>::infinity();
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

TEST(SubTest, Values) { ExpectBitEqual(Sub(F32({1, 2}, {2}), F32({0.5, -2}, {2})), F32({0.5, 4}, {2})); }

TEST(SubTest, Gradients) {
  const auto sub = [](const auto& in) { return Sub(in[0], in[1]); };
  for (const Shape& shape : Shapes()) {
    SCOPED_TRACE(ToString(shape));
    const Tensor a = RandomF64(shape, {1}), b = RandomF64(shape, {2});
    EXPECT_TRUE(CheckGradients(sub, {Leaf(a), Leaf(b)}));
    EXPECT_TRUE(CheckGradients(sub, {Leaf(a), b}));
    EXPECT_TRUE(CheckGradients(sub, {a, Leaf(b)}));
  }
  EXPECT_TRUE(CheckGradients([](const auto& in) { return Sub(in[0], in[0]); }, {Leaf(RandomF64({3}, {1}))}));
}

TEST(DivTest, Values) {
  ExpectBitEqual(Div(F32({3, 2, 1, -1, 0}, {5}), F32({0.5, -2, 0, 0, 4}, {5})), F32({6, -1, kInf, -kInf, 0}, {5}));
  EXPECT_TRUE(std::isnan(Div(F32({0}, {1}), F32({0}, {1})).item()));
}

TEST(DivTest, Gradients) {
  const auto div = [](const auto& in) { return Div(in[0], in[1]); };
  for (const Shape& shape : Shapes()) {
    SCOPED_TRACE(ToString(shape));
    const Tensor a = RandomF64(shape, {1}), b = RandomAwayFromZero(shape, {2});
    EXPECT_TRUE(CheckGradients(div, {Leaf(a), Leaf(b)}));
    EXPECT_TRUE(CheckGradients(div, {Leaf(a), b}));
    EXPECT_TRUE(CheckGradients(div, {a, Leaf(b)}));
  }
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

TEST(ArithmeticTest, Errors) {
  const Tensor x = Tensor::Zeros({2, 3}), f64 = Tensor::Zeros({2, 3}, DType::kF64);
  const auto expect_refused = [&](const std::string& name, Tensor (*op)(const Tensor&, const Tensor&)) {
    const auto says = [&name](const std::string& text) { return ThrowsMessage<Error>(HasSubstr(name + ": " + text)); };
    EXPECT_THAT([&] { op(x, f64); }, says("b has dtype f64, expected f32"));
    EXPECT_THAT([&] { op(Tensor(), x); }, says("a is undefined"));
    EXPECT_THAT([&] { op(x, Tensor()); }, says("b is undefined"));
    EXPECT_THAT([&] { op(I32({1}, {1}), x); }, says("a has dtype i32, expected f32, f64, f16 or bf16"));
  };
  expect_refused("Add", Add);
  expect_refused("Sub", Sub);
  expect_refused("Mul", Mul);
  expect_refused("Div", Div);
  EXPECT_THAT([&] { Scale(Tensor(), 1); }, ThrowsMessage<Error>(HasSubstr("Scale: x is undefined")));
}

}  // namespace
}  // namespace twofour
