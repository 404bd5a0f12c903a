// The dtype of a linear's result, where it is not that of its input.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "twofour/core/error.h"
#include "twofour/core/ops/cast.h"
#include "twofour/core/ops/matmul.h"

#include "tests/support/tensors.h"

namespace twofour {
namespace {

using test::ExpectBitEqual;
using test::RandomF32;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr DType kHalves[] = {DType::kF16, DType::kBF16};

Tensor Leaf(const Shape& shape, uint64_t seed) { return RandomF32(shape, {.seed = seed}).set_requires_grad(); }

TEST(LinearResultTest, IsTheSumsInF32) {
  for (const int64_t rows : {1, 3, 60}) {
    for (const DType dtype : kHalves) {
      SCOPED_TRACE(::testing::Message() << rows << " rows of " << NameOf(dtype));
      const Tensor x = RandomF32({rows, 70}, {.seed = 1}).To(dtype), bias = RandomF32({33}, {.seed = 2});
      const Tensor weight = RandomF32({33, 70}, {.seed = 3}).To(dtype).To(DType::kF32);
      const Tensor y = Linear(x, weight, bias, DType::kF32);
      ASSERT_EQ(y.dtype(), DType::kF32);
      ExpectBitEqual(y.To(dtype), Linear(x, weight, bias));
      const Tensor exact = Linear(x.To(DType::kF64), weight.To(DType::kF64), bias.To(DType::kF64));
      for (int64_t i = 0; i < y.numel(); ++i) {
        EXPECT_NEAR(static_cast<double>(y.data<float>()[i]), exact.data<double>()[i], 1e-5) << i;
      }
      ExpectBitEqual(Linear(x, weight, Tensor(), DType::kF32).To(dtype), Linear(x, weight));
    }
  }
}

TEST(LinearResultTest, ItsGradientIsRoundedWhereItIsMultiplied) {
  for (const DType dtype : kHalves) {
    SCOPED_TRACE(std::string(NameOf(dtype)));
    const Tensor input = RandomF32({60, 70}, {.seed = 1}).To(dtype), dy = RandomF32({60, 33}, {.seed = 4});
    const Tensor weight = Leaf({33, 70}, 2), bias = Leaf({33}, 3), x = input.Clone().set_requires_grad();
    Linear(x, weight, bias, DType::kF32).Backward(dy);
    const Tensor like_weight = weight.Clone().set_requires_grad(), like_x = input.Clone().set_requires_grad();
    Linear(like_x, like_weight).Backward(dy.To(dtype));
    ExpectBitEqual(x.grad(), like_x.grad());
    ExpectBitEqual(weight.grad(), like_weight.grad());
    ASSERT_EQ(bias.grad().dtype(), DType::kF32);
    for (int64_t col = 0; col < 33; ++col) {
      double sum = 0;
      for (int64_t row = 0; row < 60; ++row) sum += static_cast<double>(dy.data<float>()[row * 33 + col]);
      EXPECT_NEAR(static_cast<double>(bias.grad().data<float>()[col]), sum, 1e-5);
    }
  }
}

TEST(LinearResultTest, TheDTypeOfTheInputChangesNothing) {
  const Tensor x = RandomF32({5, 8}, {.seed = 1}), weight = RandomF32({3, 8}, {.seed = 2});
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    ExpectBitEqual(Linear(x.To(dtype), weight, Tensor(), dtype), Linear(x.To(dtype), weight));
  }
}

TEST(LinearResultTest, OtherDTypesAreRefused) {
  const Tensor x = Tensor::Zeros({2, 3}), weight = Tensor::Zeros({4, 3});
  const auto expect = [&](const Tensor& input, DType result, const char* message) {
    EXPECT_THAT([&] { Linear(input, weight, Tensor(), result); }, ThrowsMessage<Error>(HasSubstr(message)));
  };
  expect(x, DType::kBF16, "Linear: a result of bf16, expected f32");
  expect(x, DType::kF64, "Linear: a result of f64, expected f32");
  expect(x.To(DType::kBF16), DType::kF16, "Linear: a result of f16, expected f32 or bf16");
  expect(x.To(DType::kF16), DType::kI32, "Linear: a result of i32, expected f32 or f16");
}

}  // namespace
}  // namespace twofour
