#include "twofour/core/gradient_sum.h"

#include <gtest/gtest.h>

#include <string>

#include "twofour/core/ops/arithmetic.h"

#include "tests/support/tensors.h"

namespace twofour {
namespace {

using test::ExpectBitEqual;
using test::RandomF32;

Tensor Gradient(uint32_t number, DType dtype) { return RandomF32({5, 7}, {.seed = 1, .stream = number}).To(dtype); }

TEST(GradientSumTest, ASumOf16BitsIsTakenInF32AndRoundedOnce) {
  // With few gradients they wait for each other, and with many a sum in f32 takes their place.
  for (const DType dtype : {DType::kBF16, DType::kF16}) {
    SCOPED_TRACE(std::string(NameOf(dtype)));
    Tensor expected;
    for (uint32_t count = 1; count <= 9; ++count) {
      const Tensor wide = Gradient(count, dtype).To(DType::kF32);
      expected = expected.defined() ? Add(expected, wide) : wide;
      GradientSum sum(dtype);
      for (uint32_t i = 1; i <= count; ++i) sum.Add(Gradient(i, dtype));
      ExpectBitEqual(sum.Take(), expected.To(dtype));
    }
  }
}

TEST(GradientSumTest, ASumOfAMasterIsTakenInItsDType) {
  for (const DType dtype : {DType::kF32, DType::kF64}) {
    Tensor expected = Gradient(1, dtype);
    GradientSum sum(dtype);
    sum.Add(Gradient(1, dtype));
    for (uint32_t i = 2; i <= 6; ++i) {
      sum.Add(Gradient(i, dtype));
      expected = Add(expected, Gradient(i, dtype));
    }
    ExpectBitEqual(sum.Take(), expected);
  }
}

TEST(GradientSumTest, GradientsOf16BitsOfAMasterAreConverted) {
  GradientSum sum(DType::kF32);
  sum.Add(Gradient(1, DType::kBF16));
  ExpectBitEqual(sum.Take(), Gradient(1, DType::kBF16).To(DType::kF32));
  sum.Add(Gradient(1, DType::kBF16));
  sum.Add(Gradient(2, DType::kF16));
  ExpectBitEqual(sum.Take(), Add(Gradient(1, DType::kBF16).To(DType::kF32), Gradient(2, DType::kF16).To(DType::kF32)));
}

TEST(GradientSumTest, NothingIsUndefinedAndTakingLeavesNothing) {
  GradientSum sum(DType::kBF16);
  EXPECT_FALSE(sum.Take().defined());
  sum.Add(Gradient(1, DType::kBF16));
  EXPECT_TRUE(sum.Take().defined());
  EXPECT_FALSE(sum.Take().defined());
}

TEST(GradientSumTest, GradientsThatOthersHoldAreNotOverwritten) {
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    const Tensor held = Gradient(1, dtype), copy = held.Clone();
    GradientSum sum(dtype);
    for (int i = 0; i < 7; ++i) sum.Add(held);
    const Tensor result = sum.Take();
    EXPECT_FALSE(result.IsSameStorage(held));
    ExpectBitEqual(held, copy);
  }
}

}  // namespace
}  // namespace twofour
