#include "twofour/sparse/ops.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "twofour/core/autograd.h"
#include "twofour/core/error.h"
#include "twofour/core/ops.h"
#include "twofour/sparse/kernels/linear/forced_kernel.h"
#include "twofour/sparse/kernels/linear/linear_kernel.h"
#include "twofour/sparse/pattern.h"

#include "tests/support/gradient_checker.h"
#include "tests/support/scoped_env.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using test::CheckGradients;
using test::ExpectBitEqual;
using test::ExpectClose;
using test::Leaf;
using test::RandomF32;
using test::ScopedEnv;
using test::ScopedNumThreads;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

/// A layer of random numbers, its mask, and an upstream gradient.
struct Layer {
  explicit Layer(const Shape& lead, int64_t out, int64_t in, MaskMethod algorithm = MaskMethod::kExact)
      : weight(RandomF32({out, in}, {.seed = 1})), bias(RandomF32({out}, {.seed = 2})) {
    Shape x_shape = lead, dy_shape = lead;
    x_shape.push_back(in);
    dy_shape.push_back(out);
    x = RandomF32(x_shape, {.seed = 3});
    dy = RandomF32(dy_shape, {.seed = 4});
    for (Tensor* leaf : {&x, &weight, &bias}) leaf->set_requires_grad();
    packed = std::make_shared<const SemiSparseWeight>(weight, FindMask(weight, algorithm));
  }
  Tensor Forward() const { return MaskedLinear(x, weight, bias, packed); }

  Tensor weight, bias, x, dy;
  std::shared_ptr<const SemiSparseWeight> packed;
};

TEST(MaskedConv2dTest, IsAMaskedLinearOnWhatWindowsCover) {
  const WindowOptions windows = {.kernel_size = 3, .padding = 1};
  const Layer layer({70, 12, 12}, 12, 72), same({70, 12, 12}, 12, 72);
  Tensor x = RandomF32({70, 12, 12, 8}, {.seed = 5}).set_requires_grad(), x_again = x.Clone().set_requires_grad();
  const Tensor y = MaskedConv2d(x, layer.weight, layer.bias, layer.packed, windows);
  const Tensor expected = MaskedLinear(Unfold(x_again, windows), same.weight, same.bias, same.packed);
  ExpectClose(y.Detach(), expected.Detach(), 1e-5);
  y.Backward(layer.dy);
  expected.Backward(layer.dy);
  ExpectClose(x.grad(), x_again.grad(), 1e-5);
  ExpectBitEqual(layer.bias.grad(), same.bias.grad());
  ExpectClose(layer.weight.grad(), same.weight.grad(), 1e-5, 1e-3);
}

TEST(MaskedConv2dTest, Errors) {
  const Layer layer({1}, 12, 72);
  const Tensor x = Tensor::Zeros({1, 4, 4, 8});
  EXPECT_THAT([&] { MaskedConv2d(x, layer.weight, layer.bias, nullptr, {.kernel_size = 3}); },
              ThrowsMessage<Error>(HasSubstr("MaskedConv2d: packed is null")));
  EXPECT_THAT(
      [&] {
        MaskedConv2d(x, Tensor::Zeros({12, 36}), layer.bias, layer.packed, {.kernel_size = 3});
      },
      ThrowsMessage<Error>(HasSubstr("MaskedConv2d: weight")));
  EXPECT_THAT([&] { MaskedConv2d(x, layer.weight, layer.bias, layer.packed, {.kernel_size = 2}); },
              ThrowsMessage<Error>(HasSubstr("expected a weight [out_channels, 32]")));
}

TEST(MaskedLinearTest, IsALinearWithTheMaskedWeight) {
  for (MaskMethod algorithm : {MaskMethod::kExact, MaskMethod::kGreedy}) {
    for (const Shape& lead : {Shape{}, Shape{5}, Shape{2, 3}, Shape{0}}) {
      const Layer layer(lead, 12, 16, algorithm);
      const Tensor masked = ApplyMask(layer.weight, layer.packed->mask());
      ExpectClose(layer.Forward(), Linear(layer.x.Detach(), masked, layer.bias.Detach()));
      ExpectClose(MaskedLinear(layer.x, layer.weight, Tensor(), layer.packed), Linear(layer.x.Detach(), masked));
    }
  }
}

TEST(MaskedLinearTest, InputGradientIsThatOfTheMaskedLayer) {
  const Layer layer({6}, 12, 16, MaskMethod::kGreedy);
  layer.Forward().Backward(layer.dy);
  // The gradients of the masked layer in double must agree with central differences, and those in f32 with those in
  // double.
  Tensor x = Leaf(layer.x), bias = Leaf(layer.bias);
  const Tensor masked = ApplyMask(layer.weight, layer.packed->mask()).To(DType::kF64);
  EXPECT_TRUE(CheckGradients([](const auto& in) { return Linear(in[0], in[1], in[2]); }, {x, masked, bias}));
  Linear(x, masked, bias).Backward(layer.dy.To(DType::kF64));
  ExpectClose(layer.x.grad(), x.grad().To(DType::kF32), 1e-5, 1e-5);
  ExpectClose(layer.bias.grad(), bias.grad().To(DType::kF32), 1e-5, 1e-5);
}

TEST(MaskedLinearTest, WeightGradientIsThatOfADenseLinear) {
  for (const Shape& lead : {Shape{}, Shape{6}, Shape{2, 3}, Shape{0}}) {
    const Layer layer(lead, 12, 16);
    layer.Forward().Backward(layer.dy);
    Tensor weight = layer.weight.Clone(), bias = layer.bias.Clone();
    weight.set_requires_grad();
    bias.set_requires_grad();
    Linear(layer.x.Detach(), weight, bias).Backward(layer.dy);
    ExpectBitEqual(layer.weight.grad(), weight.grad());
    ExpectBitEqual(layer.bias.grad(), bias.grad());
  }
}

TEST(MaskedLinearTest, PrunedWeightsGetAGradient) {
  const Layer layer({6}, 8, 8);
  layer.Forward().Backward(layer.dy);
  const Tensor kept = ApplyMask(layer.weight.grad(), layer.packed->mask());
  for (int64_t i = 0; i < 64; ++i) EXPECT_NE(layer.weight.grad().data<float>()[i], 0.0f);
  EXPECT_EQ(FindPatternViolation(kept, PatternAxis::kBoth), std::nullopt);
}

TEST(MaskedLinearTest, GradientsThatNobodyWantsAreNotMade) {
  for (int wanted = 0; wanted < 3; ++wanted) {
    Layer layer({3}, 8, 8);
    Tensor* const leaves[] = {&layer.x, &layer.weight, &layer.bias};
    for (int i = 0; i < 3; ++i) leaves[i]->set_requires_grad(i == wanted);
    layer.Forward().Backward(layer.dy);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(leaves[i]->grad().defined(), i == wanted) << wanted << " " << i;
  }
  Layer layer({3}, 8, 8);
  const NoGradGuard no_grad;
  EXPECT_FALSE(layer.Forward().requires_grad());
}

TEST(MaskedLinearTest, AWriteToTheWeightBeforeTheBackwardPassIsAnErrorWhicheverKernelRuns) {
  for (const LinearKernel& kernel : LinearKernels()) {
    if (!WhyNotHere(kernel.isa).empty()) continue;
    const ScopedEnv env("TWOFOUR_KERNEL", std::string(kernel.name));
    Layer layer({3}, 8, 8);
    layer.x = layer.x.Detach().To(kernel.activation).set_requires_grad();
    const Tensor y = layer.Forward(), dy = layer.dy.To(kernel.activation);
    layer.weight.Fill(7);
    EXPECT_THAT([&] { y.Backward(dy); }, ThrowsMessage<Error>(HasSubstr("written to in place"))) << kernel.name;
  }
}

TEST(MaskedLinearTest, AWriteToTheInputIsAnError) {
  Layer layer({3}, 8, 8);
  const Tensor y = layer.Forward();
  layer.x.Fill(7);
  EXPECT_THAT([&] { y.Backward(layer.dy); }, ThrowsMessage<Error>(HasSubstr("written to in place")));
}

TEST(MaskedLinearTest, ThreadsDoNotMatter) {
  const ScopedNumThreads one(1);
  const Layer expected({600}, 64, 576);
  const Tensor y = expected.Forward();
  y.Backward(expected.dy);
  for (int threads : {2, 3}) {
    const ScopedNumThreads more(threads);
    const Layer layer({600}, 64, 576);
    const Tensor again = layer.Forward();
    again.Backward(layer.dy);
    ExpectBitEqual(again, y);
    ExpectBitEqual(layer.x.grad(), expected.x.grad());
    ExpectBitEqual(layer.weight.grad(), expected.weight.grad());
    ExpectBitEqual(layer.bias.grad(), expected.bias.grad());
  }
}

TEST(MaskedLinearTest, RefusesWrongTensorsInWords) {
  const Layer layer({3}, 8, 12);
  const auto forward = [&](const Tensor& x, const Tensor& weight, const Tensor& bias) {
    return [=, &layer] { MaskedLinear(x, weight, bias, layer.packed); };
  };
  EXPECT_THAT(forward(RandomF32({3, 8}, {}), layer.weight, layer.bias),
              ThrowsMessage<Error>(AllOf(HasSubstr("f32 [3, 8]"), HasSubstr("[..., 12]"))));
  EXPECT_THAT(forward(Tensor::Zeros({3, 12}, DType::kF64), layer.weight, layer.bias),
              ThrowsMessage<Error>(HasSubstr("f64 [3, 12]")));
  EXPECT_THAT(forward(Tensor(), layer.weight, layer.bias), ThrowsMessage<Error>(HasSubstr("undefined")));
  EXPECT_THAT(forward(Tensor::Scalar(1), layer.weight, layer.bias), ThrowsMessage<Error>(HasSubstr("f32 []")));
  EXPECT_THAT(forward(layer.x, Tensor::Zeros({12, 8}), layer.bias), ThrowsMessage<Error>(HasSubstr("weight")));
  EXPECT_THAT(forward(layer.x, Tensor(), layer.bias), ThrowsMessage<Error>(HasSubstr("weight")));
  EXPECT_THAT(forward(layer.x, layer.weight, Tensor::Zeros({12})), ThrowsMessage<Error>(HasSubstr("bias")));
}

TEST(PruneTilesTest, KeepsTheMaskOfTheTiles) {
  const Tensor x = RandomF32({8, 12}, {.seed = 5});
  for (MaskMethod algorithm : {MaskMethod::kExact, MaskMethod::kGreedy}) {
    ExpectBitEqual(PruneTiles(x, algorithm), ApplyMask(x, FindMask(x, algorithm)));
    EXPECT_EQ(PruneTiles(x.View({2, 4, 12}), algorithm).shape(), (Shape{2, 4, 12}));
    ExpectBitEqual(PruneTiles(x.View({2, 4, 12}), algorithm).View({8, 12}), PruneTiles(x, algorithm));
  }
}

TEST(PruneTilesTest, RowsBeyondAMultipleOfFourAreTiledWithZeros) {
  for (int64_t rows : {0, 1, 2, 3, 5, 6, 7}) {
    const Tensor x = RandomF32({rows, 16}, {.seed = 6});
    const Tensor pruned = PruneTiles(x, MaskMethod::kExact);
    ASSERT_EQ(pruned.shape(), x.shape());
    EXPECT_EQ(FindPatternViolation(pruned, PatternAxis::kBoth), std::nullopt) << rows;
    int64_t kept = 0;
    for (int64_t i = 0; i < x.numel(); ++i) {
      const float entry = pruned.data<float>()[i];
      EXPECT_TRUE(entry == 0.0f || entry == x.data<float>()[i]);
      kept += entry != 0.0f;
    }
    // Every real row keeps two in four. The rows of zeros take what is left in the columns.
    EXPECT_EQ(kept, rows * 16 / 2) << rows;
  }
}

TEST(PruneTilesTest, GradientPassesStraightThrough) {
  Tensor x = RandomF32({5, 8}, {.seed = 7});
  x.set_requires_grad();
  const Tensor dy = RandomF32({5, 8}, {.seed = 8});
  PruneTiles(x, MaskMethod::kExact).Backward(dy);
  ExpectBitEqual(x.grad(), dy);
  EXPECT_FALSE(x.grad().IsSameStorage(dy));
}

TEST(PruneTilesTest, RefusesWhatCannotBeTiled) {
  Tensor x = RandomF32({5, 8}, {.seed = 9});
  EXPECT_THAT(
      [] {
        PruneTiles(Tensor::Zeros({4, 6}), MaskMethod::kExact);
      },
      ThrowsMessage<Error>(AllOf(HasSubstr("PruneTiles"), HasSubstr("[4, 6]"))));
  EXPECT_THAT(
      [] {
        PruneTiles(Tensor::Zeros({4, 4}, DType::kF64), MaskMethod::kExact);
      },
      ThrowsMessage<Error>(AllOf(HasSubstr("PruneTiles"), HasSubstr("f64"))));
  EXPECT_THAT([] { PruneTiles(Tensor(), MaskMethod::kExact); }, ThrowsMessage<Error>(HasSubstr("undefined")));
  x.mutable_data<float>()[4 * 8 + 3] = std::numeric_limits<float>::infinity();
  EXPECT_THAT([&] { PruneTiles(x, MaskMethod::kExact, "blocks.0.mlp.c_proj"); },
              ThrowsMessage<Error>(AllOf(HasSubstr("blocks.0.mlp.c_proj: input"), HasSubstr("[4, 3]"))));
}

TEST(MaskedLinearTest, WithoutAPackedWeightIsAnError) {
  EXPECT_THAT(
      [] {
        MaskedLinear(Tensor::Zeros({1, 4}), Tensor::Zeros({4, 4}), Tensor(), nullptr);
      },
      ThrowsMessage<Error>(HasSubstr("packed is null")));
}

}  // namespace
}  // namespace twofour::sparse
