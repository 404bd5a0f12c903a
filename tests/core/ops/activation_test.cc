#include "twofour/core/ops/activation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>

#include "twofour/core/error.h"
#include "twofour/core/ops/cast.h"

#include "tests/support/case_tables.h"
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
using test::RandomAwayFromZero;
using test::RandomF64;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr float kInf = std::numeric_limits<float>::infinity();

struct Case {
  const char* name;
  Tensor (*op)(const Tensor&);
};

class ActivationTest : public ::testing::TestWithParam<Case> {};

TEST_P(ActivationTest, Gradients) {
  const auto op = [](const auto& in) { return GetParam().op(in[0]); };
  for (const Shape& shape : {Shape{}, Shape{1}, Shape{13}, Shape{3, 7}, Shape{2, 1, 5}, Shape{0}, Shape{0, 4}}) {
    SCOPED_TRACE(ToString(shape));
    EXPECT_TRUE(CheckGradients(op, {Leaf(RandomAwayFromZero(shape, {1}))}));
  }
  EXPECT_TRUE(CheckGradients(op, {Leaf(RandomAwayFromZero({331, 101}, {1}))}, {.max_varied = 5}));
}

TEST_P(ActivationTest, NanStaysNan) {
  const Tensor y = GetParam().op(F32({NAN, 1, -1}, {3}));
  EXPECT_TRUE(std::isnan(y.data<float>()[0]));
  EXPECT_FALSE(std::isnan(y.data<float>()[1]));
  EXPECT_FALSE(std::isnan(y.data<float>()[2]));
}

TEST_P(ActivationTest, Errors) {
  const std::string name = GetParam().name;
  EXPECT_THAT([] { GetParam().op(Tensor()); }, ThrowsMessage<Error>(HasSubstr(name + ": x is undefined")));
  EXPECT_THAT([] { GetParam().op(I32({1}, {1})); },
              ThrowsMessage<Error>(HasSubstr(name + ": x has dtype i32, expected f32, f64, f16 or bf16")));
}

INSTANTIATE_TEST_SUITE_P(All, ActivationTest,
                         ::testing::Values(Case{"Relu", Relu}, Case{"ReluSquared", ReluSquared}, Case{"Gelu", Gelu},
                                           Case{"GeluTanh", GeluTanh}, Case{"Tanh", Tanh}, Case{"Sigmoid", Sigmoid},
                                           Case{"SoftCap", [](const Tensor& x) { return SoftCap(x, 1.5); }}),
                         test::ByName());

TEST(ReluTest, Values) {
  ExpectBitEqual(Relu(F32({-1, 0, 2, -kInf, kInf}, {5})), F32({0, 0, 2, 0, kInf}, {5}));
  ExpectBitEqual(ReluSquared(F32({-1, 0, 3, -kInf, kInf}, {5})), F32({0, 0, 9, 0, kInf}, {5}));
}

TEST(ReluTest, GradientAtTheKinkIsZero) {
  Tensor x = F32({0, -0.0f}, {2});
  x.set_requires_grad();
  Relu(x).Backward(F32({1, 1}, {2}));
  ExpectBitEqual(x.grad(), F32({0, 0}, {2}));
}

TEST(ReluSquaredTest, GradientIsSmoothAtZero) {
  EXPECT_TRUE(
      CheckGradients([](const auto& in) { return ReluSquared(in[0]); }, {Leaf(F64({0}, {1}))}, {.tolerance = 1e-4}));
}

TEST(GeluTest, KnownValues) {
  // x Phi(x), with Phi from a table of the normal distribution.
  const Tensor y = Gelu(F64({0.0, 1.0, -1.0, 2.0, -3.0, 10.0}, {6}));
  ExpectClose(
      y, F64({0.0, 0.841344746068543, -0.158655253931457, 2 * 0.977249868051821, -3 * 0.00134989803163009, 10.0}, {6}),
      1e-13, 1e-15);
}

TEST(GeluTest, DiffersFromItsReflectionByX) {
  // Phi(x) + Phi(-x) = 1, so gelu(x) - gelu(-x) = x.
  const Tensor x = RandomF64({50}, {1}, -4, 4);
  for (int i = 0; i < 50; ++i) {
    const double v = x.data<double>()[i];
    const double difference = Gelu(F64({v}, {1})).item() - Gelu(F64({-v}, {1})).item();
    EXPECT_NEAR(difference, v, 1e-14);
  }
}

TEST(GeluTanhTest, IsTheFormulaWithTanhAndStaysFiniteFarOut) {
  for (const double x : {-9.0, -3.0, -0.7, 0.0, 0.1, 1.0, 2.5, 9.0}) {
    const double u = std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x);
    EXPECT_NEAR(GeluTanh(F64({x}, {1})).item(), 0.5 * x * (1 + std::tanh(u)), 1e-14) << x;
    // Hendrycks and Gimpel give it as an approximation of the exact form.
    EXPECT_NEAR(GeluTanh(F64({x}, {1})).item(), Gelu(F64({x}, {1})).item(), 5e-4) << x;
  }
  for (const Tensor& x : {F32({-3e38f, -1e13f, -20, 20, 1e13f, 3e38f}, {6}), F64({-1e300, -40, 40, 1e300}, {4})}) {
    Tensor leaf = x;
    leaf.set_requires_grad();
    const Tensor y = GeluTanh(leaf);
    y.Backward(Tensor::Full(x.shape(), 1.0, x.dtype()));
    const Tensor value = Cast(y, DType::kF64), given = Cast(x, DType::kF64), slope = Cast(leaf.grad(), DType::kF64);
    for (int64_t i = 0; i < x.numel(); ++i) {
      const double at = given.data<double>()[i];
      EXPECT_EQ(value.data<double>()[i], at < 0 ? 0 : at) << at;
      EXPECT_EQ(slope.data<double>()[i], at < 0 ? 0 : 1) << at;
    }
  }
}

TEST(SoftCapTest, Values) {
  ExpectClose(SoftCap(F64({0, 1, -2, 1e300}, {4}), 2), F64({0, 2 * std::tanh(0.5), -2 * std::tanh(1.0), 2}, {4}),
              1e-15);
  // Well below the cap it is nearly the identity.
  EXPECT_NEAR(SoftCap(F64({0.01}, {1}), 30).item(), 0.01, 1e-9);
}

TEST(SoftCapTest, GradientWhereItSaturates) {
  Tensor x = F32({1e30f, -1e30f, 60}, {3});
  x.set_requires_grad();
  SoftCap(x, 3).Backward(F32({1, 1, 1}, {3}));
  ExpectBitEqual(x.grad(), F32({0, 0, 0}, {3}));
}

TEST(SoftCapTest, Errors) {
  const Tensor x = F32({1}, {1});
  EXPECT_THAT([&] { SoftCap(x, 0); }, ThrowsMessage<Error>(HasSubstr("SoftCap: cap 0, expected a positive finite")));
  EXPECT_THAT([&] { SoftCap(x, -1); }, ThrowsMessage<Error>(HasSubstr("cap -1")));
  EXPECT_THAT([&] { SoftCap(x, NAN); }, ThrowsMessage<Error>(HasSubstr("cap nan")));
  EXPECT_THAT([&] { SoftCap(x, HUGE_VAL); }, ThrowsMessage<Error>(HasSubstr("cap inf")));
  // As a float they are 0 and infinite.
  for (const double cap : {1e-50, 1e39}) {
    EXPECT_THAT([&] { SoftCap(x, cap); },
                ThrowsMessage<Error>(HasSubstr(", expected 1.4e-45 to 3.4e+38, as a 32-bit float can hold")));
    EXPECT_NO_THROW(SoftCap(F64({1}, {1}), cap));
  }
}

TEST(SwiGluTest, KnownValues) {
  // silu(log 3) = log 3 * 3 / 4, silu(-log 3) = -log 3 / 4.
  const double log3 = std::log(3.0);
  ExpectClose(SwiGlu(F64({log3, -log3, 0, 1000, -1000}, {5}), F64({2, 4, 5, -1, 7}, {5})),
              F64({1.5 * log3, -log3, 0, -1000, 0}, {5}), 1e-15, 1e-300);
}

TEST(SwiGluTest, Gradients) {
  const auto op = [](const auto& in) { return SwiGlu(in[0], in[1]); };
  for (const Shape& shape : {Shape{}, Shape{1}, Shape{13}, Shape{3, 7}, Shape{2, 1, 5}, Shape{0}, Shape{0, 4}}) {
    SCOPED_TRACE(ToString(shape));
    const Tensor gate = RandomF64(shape, {1}, -4, 4), up = RandomF64(shape, {2});
    EXPECT_TRUE(CheckGradients(op, {Leaf(gate), Leaf(up)}));
    EXPECT_TRUE(CheckGradients(op, {Leaf(gate), up}));
    EXPECT_TRUE(CheckGradients(op, {gate, Leaf(up)}));
    EXPECT_TRUE(CheckGradients([](const auto& in) { return SwiGlu(in[0], in[0]); }, {Leaf(gate)}));
  }
  EXPECT_TRUE(CheckGradients(op, {Leaf(RandomF64({331, 101}, {1}, -4, 4)), Leaf(RandomF64({331, 101}, {2}))},
                             {.max_varied = 5}));
}

TEST(SwiGluTest, NanStaysNan) {
  const Tensor y = SwiGlu(F32({NAN, 1, 0, 1}, {4}), F32({1, NAN, NAN, 1}, {4}));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(std::isnan(y.data<float>()[i])) << i;
  EXPECT_FALSE(std::isnan(y.data<float>()[3]));
}

TEST(SwiGluTest, Errors) {
  const Tensor x = Tensor::Zeros({2, 3});
  EXPECT_THAT([&] { SwiGlu(x, Tensor::Zeros({2})); },
              ThrowsMessage<Error>(HasSubstr("SwiGlu: up has shape [2], expected [2, 3]")));
  EXPECT_THAT(
      [&] {
        SwiGlu(x, Tensor::Zeros({2, 3}, DType::kF64));
      },
      ThrowsMessage<Error>(HasSubstr("SwiGlu: up has dtype f64, expected f32")));
  EXPECT_THAT([&] { SwiGlu(Tensor(), x); }, ThrowsMessage<Error>(HasSubstr("SwiGlu: gate is undefined")));
  EXPECT_THAT([&] { SwiGlu(x, Tensor()); }, ThrowsMessage<Error>(HasSubstr("SwiGlu: up is undefined")));
}

}  // namespace
}  // namespace twofour
