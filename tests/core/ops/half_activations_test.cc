// Ops on activations of f16 and bf16.
#include "tests/support/half_activations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/ops.h"

#include "tests/support/tensors.h"

namespace twofour {
namespace {

using test::ExpectBitEqual;
using test::ExpectMultipliesAsInF32;
using test::ExpectNearF64;
using test::ExpectRoundsWhatF32Gives;
using test::F32;
using test::RandomF32;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

using Tensors = std::vector<Tensor>;

Tensor Parameter(const Shape& shape, uint64_t seed) { return RandomF32(shape, {.seed = seed}).set_requires_grad(); }

TEST(HalfActivationsTest, LinearMultipliesAsInF32) {
  // One row, few rows and many are computed in different ways.
  for (const Shape& lead : {Shape{}, Shape{1}, Shape{7}, Shape{2, 0}, Shape{5, 60}}) {
    for (const bool has_bias : {false, true}) {
      SCOPED_TRACE(::testing::Message() << ToString(lead) << (has_bias ? " with bias" : ""));
      Shape shape = lead;
      shape.push_back(70);
      const Tensor weight = Parameter({33, 70}, 1), bias = Parameter({33}, 2);
      Tensors parameters = {weight};
      if (has_bias) parameters.push_back(bias);
      const auto linear = [&](const Tensors& in) { return Linear(in[0], weight, has_bias ? bias : Tensor()); };
      ExpectMultipliesAsInF32(linear, {shape}, parameters, test::kOneBf16Product);
    }
  }
}

TEST(HalfActivationsTest, LinearIsNearF64) {
  const Tensor weight = Parameter({33, 70}, 1), bias = Parameter({33}, 2);
  const auto linear = [](const Tensors& in) { return Linear(in[0], in[1], in[2]); };
  const Tensor x = RandomF32({50, 70}, {.seed = 3});
  ExpectNearF64(linear, linear, x.To(DType::kBF16), {weight, bias}, 0x1p-8);
  ExpectNearF64(linear, linear, x.To(DType::kF16), {weight, bias}, 0x1p-12);
}

TEST(HalfActivationsTest, LinearAddsTheBiasBeforeItRounds) {
  // 1 + 2^-8 is a tie that rounds to 1. With the bias it is above the tie.
  const Tensor weight = F32({1, 0x1p-8f}, {1, 2}), bias = F32({0x1p-20f}, {1});
  const Tensor x = Tensor::Full({1, 2}, 1, DType::kBF16);
  EXPECT_EQ(Linear(x, weight).item(), 1);
  EXPECT_EQ(Linear(x, weight, bias).item(), 1 + 0x1p-7);
}

TEST(HalfActivationsTest, LinearNamesBothTensors) {
  const Tensor x = Tensor::Zeros({2, 3}, DType::kBF16), weight = Tensor::Zeros({4, 3});
  const auto expect = [](const Tensor& input, const Tensor& matrix, const auto& message) {
    EXPECT_THAT([&] { Linear(input, matrix); }, ThrowsMessage<Error>(message));
  };
  expect(x, weight.To(DType::kF64), AllOf(HasSubstr("x bf16 [2, 3]"), HasSubstr("weight f64 [4, 3]")));
  expect(x.To(DType::kF64), weight, AllOf(HasSubstr("x f64 [2, 3]"), HasSubstr("weight f32 [4, 3]")));
  expect(x, weight.To(DType::kBF16), HasSubstr("Linear: weight has dtype bf16, expected f32 or f64"));
  EXPECT_THAT([&] { Linear(x, weight, Tensor::Zeros({4}, DType::kBF16)); },
              ThrowsMessage<Error>(HasSubstr("Linear: bias has dtype bf16, expected f32")));
}

TEST(HalfActivationsTest, TheLossOfAHeadOnF16RoundsTheGradientOfItsInputOnce) {
  const Tensor targets = Tensor::FromVector(std::vector<int32_t>{0, 4, 2}, {3});
  const Tensor weight = Parameter({5, 8}, 1), wide_weight = weight.Clone().set_requires_grad();
  const Tensor x = RandomF32({3, 8}, {.seed = 2}).To(DType::kF16).set_requires_grad();
  const Tensor wide = x.To(DType::kF32).set_requires_grad();
  const Tensor loss = LinearCrossEntropy(x, weight, targets, {.soft_cap = 2});
  const Tensor expected = LinearCrossEntropy(wide, wide_weight, targets, {.soft_cap = 2});
  ExpectBitEqual(loss.Detach(), expected.Detach());
  loss.Backward();
  expected.Backward();
  ExpectBitEqual(x.grad(), wide.grad().To(DType::kF16));
  ExpectBitEqual(weight.grad(), wide_weight.grad());
}

TEST(HalfActivationsTest, OpsBetweenLayersRoundWhatF32Gives) {
  for (const Shape& shape : {Shape{5, 24}, Shape{3, 1055}, Shape{4, 1}, Shape{0, 8}}) {
    SCOPED_TRACE(ToString(shape));
    ExpectRoundsWhatF32Gives([](const Tensors& in) { return Relu(in[0]); }, {shape});
    ExpectRoundsWhatF32Gives([](const Tensors& in) { return ReluSquared(in[0]); }, {shape});
    ExpectRoundsWhatF32Gives([](const Tensors& in) { return Gelu(in[0]); }, {shape});
    ExpectRoundsWhatF32Gives([](const Tensors& in) { return GeluTanh(in[0]); }, {shape});
    ExpectRoundsWhatF32Gives([](const Tensors& in) { return SoftCap(in[0], 0.7); }, {shape});
    ExpectRoundsWhatF32Gives([](const Tensors& in) { return SwiGlu(in[0], in[1]); }, {shape, shape});
    ExpectRoundsWhatF32Gives([](const Tensors& in) { return Add(in[0], in[1]); }, {shape, shape});
    ExpectRoundsWhatF32Gives([](const Tensors& in) { return Mul(in[0], in[1]); }, {shape, shape});
    ExpectRoundsWhatF32Gives([](const Tensors& in) { return Scale(in[0], 0.3); }, {shape});
    ExpectRoundsWhatF32Gives([&](const Tensors& in) { return Reshape(in[0], {shape[1], shape[0]}); }, {shape});
    ExpectRoundsWhatF32Gives([](const Tensors& in) { return Dropout(in[0], 0.4, {.seed = 5}); }, {shape});
    ExpectRoundsWhatF32Gives([](const Tensors& in) { return RmsNorm(in[0]); }, {shape});
    const Tensor weight = Parameter({shape.back()}, 1), bias = Parameter({shape.back()}, 2);
    ExpectRoundsWhatF32Gives([&](const Tensors& in) { return RmsNorm(in[0], weight); }, {shape}, {weight});
    ExpectRoundsWhatF32Gives([&](const Tensors& in) { return LayerNorm(in[0], weight, bias); }, {shape},
                             {weight, bias});
  }
  ExpectRoundsWhatF32Gives([](const Tensors& in) { return Rotary(in[0]); }, {{2, 5, 3, 8}});
}

TEST(HalfActivationsTest, LossesAreF32AndRoundTheGradientOnce) {
  const Tensor targets = Tensor::FromVector(std::vector<int32_t>{0, 4, 2}, {3}),
               target = RandomF32({3, 5}, {.seed = 1});
  for (const DType dtype : {DType::kF16, DType::kBF16}) {
    for (const bool mse : {false, true}) {
      SCOPED_TRACE(::testing::Message() << NameOf(dtype) << (mse ? " mse" : " cross entropy"));
      const Tensor x = RandomF32({3, 5}, {.seed = 2}).To(dtype).set_requires_grad();
      const Tensor wide = x.To(DType::kF32).set_requires_grad();
      const auto loss_of = [&](const Tensor& t) { return mse ? MseLoss(t, target) : CrossEntropyLoss(t, targets); };
      const Tensor loss = loss_of(x), expected = loss_of(wide);
      ExpectBitEqual(loss.Detach(), expected.Detach());
      loss.Backward();
      expected.Backward();
      ExpectBitEqual(x.grad(), wide.grad().To(dtype));
    }
    const Tensor x = RandomF32({3, 5}, {.seed = 2}).To(dtype), y = target.To(dtype);
    ExpectBitEqual(MseLoss(x, y), MseLoss(x.To(DType::kF32), y.To(DType::kF32)));
  }
}

TEST(HalfActivationsTest, WindowsRoundWhatF32Gives) {
  const WindowOptions windows = {.kernel_size = 3, .padding = 1};
  const Shape images = {2, 4, 5, 6};
  ExpectRoundsWhatF32Gives([&](const Tensors& in) { return Unfold(in[0], windows); }, {images});
  ExpectRoundsWhatF32Gives([&](const Tensors& in) { return MaxPool2d(in[0], windows); }, {images});
}

TEST(HalfActivationsTest, ElementaryOpsRoundWhatF32Gives) {
  for (const Shape& shape : {Shape{5, 24}, Shape{3, 1055}, Shape{4, 1}, Shape{0, 8}}) {
    SCOPED_TRACE(ToString(shape));
    ExpectRoundsWhatF32Gives([](const Tensors& in) { return Tanh(in[0]); }, {shape});
    ExpectRoundsWhatF32Gives([](const Tensors& in) { return Sigmoid(in[0]); }, {shape});
    ExpectRoundsWhatF32Gives([](const Tensors& in) { return Exp(in[0]); }, {shape});
    ExpectRoundsWhatF32Gives([](const Tensors& in) { return Log(in[0]); }, {shape});
    ExpectRoundsWhatF32Gives([](const Tensors& in) { return Sub(in[0], in[1]); }, {shape, shape});
    ExpectRoundsWhatF32Gives([](const Tensors& in) { return Div(in[0], in[1]); }, {shape, shape});
    ExpectRoundsWhatF32Gives([](const Tensors& in) { return Transpose(in[0]); }, {shape});
    ExpectRoundsWhatF32Gives([](const Tensors& in) { return Concat({in[0], in[1]}); }, {shape, shape});
    ExpectRoundsWhatF32Gives([](const Tensors& in) { return Slice(in[0], 0, 0, -1); }, {{shape[0] + 1, shape[1]}});
    for (const int axis : {0, 1}) {
      ExpectRoundsWhatF32Gives([=](const Tensors& in) { return Sum(in[0], axis); }, {shape});
      ExpectRoundsWhatF32Gives([=](const Tensors& in) { return Mean(in[0], axis); }, {shape});
    }
    for (const Shape& other : {Shape{shape[1]}, Shape{shape[0], 1}, Shape{}}) {
      ExpectRoundsWhatF32Gives([](const Tensors& in) { return Add(in[0], in[1]); }, {shape, other});
      ExpectRoundsWhatF32Gives([](const Tensors& in) { return Sub(in[0], in[1]); }, {shape, other});
      ExpectRoundsWhatF32Gives([](const Tensors& in) { return Mul(in[0], in[1]); }, {shape, other});
      ExpectRoundsWhatF32Gives([](const Tensors& in) { return Div(in[0], in[1]); }, {shape, other});
      ExpectRoundsWhatF32Gives([&](const Tensors& in) { return Expand(in[0], shape); }, {other});
    }
  }
}

TEST(HalfActivationsTest, AttentionMultipliesAsInF32) {
  // Two products, one after the other.
  ExpectMultipliesAsInF32([](const Tensors& in) { return CausalAttention(in[0], in[1], in[2]); },
                          {{2, 5, 4, 8}, {2, 5, 2, 8}, {2, 5, 2, 8}}, {}, {0x1p-7, 0});
  ExpectMultipliesAsInF32([](const Tensors& in) { return CausalAttention(in[0], in[1], in[2], {.window = 40}); },
                          {{1, 150, 2, 16}, {1, 150, 2, 16}, {1, 150, 2, 16}}, {}, {0x1p-7, 0});
}

}  // namespace
}  // namespace twofour
