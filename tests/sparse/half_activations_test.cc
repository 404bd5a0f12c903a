// Sparse products of activations of f16 and bf16.
#include "tests/support/half_activations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/ops.h"
#include "twofour/sparse/fused_mlp.h"
#include "twofour/sparse/kernels/linear/forced_kernel.h"
#include "twofour/sparse/linear_planner.h"
#include "twofour/sparse/ops.h"

#include "tests/support/scoped_env.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using test::ExpectBitEqual;
using test::ExpectMultipliesAsInF32;
using test::ExpectNearF64;
using test::ExpectRoundsWhatF32Gives;
using test::RandomF32;
using test::ScopedEnv;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

using Tensors = std::vector<Tensor>;

MaskedLinearOperand MakeLayer(int64_t out, int64_t in, uint64_t seed) {
  MaskedLinearOperand layer;
  layer.weight = RandomF32({out, in}, {.seed = seed}).set_requires_grad();
  layer.bias = RandomF32({out}, {.seed = seed + 1}).set_requires_grad();
  layer.packed = std::make_shared<const SemiSparseWeight>(layer.weight, FindMask(layer.weight, MaskMethod::kExact));
  return layer;
}

TEST(HalfActivationsTest, SemiSparseLinearMultipliesAsInF32) {
  // Kernels that take f32: where one is named, activations of 16 bits are widened for it.
  for (const LinearKernel& kernel : LinearKernels()) {
    if (!WhyNotHere(kernel.isa).empty() || kernel.activation != DType::kF32) continue;
    SCOPED_TRACE(kernel.name);
    const ScopedEnv env("TWOFOUR_KERNEL", kernel.name);
    const MaskedLinearOperand layer = MakeLayer(32, 68, 1);
    for (const Shape& x : {Shape{68}, Shape{3, 68}, Shape{2, 33, 68}, Shape{0, 68}}) {
      ExpectMultipliesAsInF32(
          [&](const Tensors& in) { return MaskedLinear(in[0], layer.weight, layer.bias, layer.packed); }, {x},
          {layer.weight, layer.bias}, test::kOneBf16Product);
      ExpectMultipliesAsInF32(
          [&](const Tensors& in) { return MaskedLinear(in[0], layer.weight, Tensor(), layer.packed); }, {x},
          {layer.weight}, test::kOneBf16Product);
    }
  }
}

TEST(HalfActivationsTest, SemiSparseLinearIsNearF64) {
  for (const LinearKernel& kernel : LinearKernels()) {
    if (!WhyNotHere(kernel.isa).empty()) continue;
    SCOPED_TRACE(kernel.name);
    const ScopedEnv env("TWOFOUR_KERNEL", kernel.name);
    const MaskedLinearOperand layer = MakeLayer(32, 68, 1);
    const auto narrow = [&](const Tensors& in) { return MaskedLinear(in[0], in[1], in[2], layer.packed); };
    // The straight-through gradient of a weight is the gradient of its masked form.
    Tensor masked = ApplyMask(layer.weight, layer.packed->mask()).To(DType::kF64);
    const auto f64 = [&](const Tensors& in) {
      Tensor weight = in[1];
      weight.CopyFrom(masked);
      return Linear(in[0], weight, in[2]);
    };
    const Tensor x = RandomF32({50, 68}, {.seed = 3});
    ExpectNearF64(narrow, f64, x.To(DType::kBF16), {layer.weight, layer.bias}, 0x1p-8);
    if (kernel.activation != DType::kF32) continue;
    ExpectNearF64(narrow, f64, x.To(DType::kF16), {layer.weight, layer.bias}, 0x1p-12);
  }
}

TEST(HalfActivationsTest, FusedMlpRoundsWhatF32Gives) {
  for (const FusedMlpKernel& kernel : FusedMlpKernels()) {
    if (!WhyNotHere(kernel.linear->isa).empty() || kernel.linear->activation != DType::kF32) continue;
    SCOPED_TRACE(kernel.name);
    const MaskedLinearOperand fc = MakeLayer(36, 20, 1), proj = MakeLayer(12, 36, 3);
    for (const Shape& x : {Shape{20}, Shape{65, 20}, Shape{0, 20}}) {
      ExpectRoundsWhatF32Gives([&](const Tensors& in) { return FusedMlp(kernel, in[0], fc, proj); }, {x},
                               {fc.weight, fc.bias, proj.weight, proj.bias});
    }
  }
}

TEST(HalfActivationsTest, PruneTilesKeepsTheNumbers) {
  for (const MaskMethod method : {MaskMethod::kExact, MaskMethod::kGreedy}) {
    ExpectRoundsWhatF32Gives([&](const Tensors& in) { return PruneTiles(in[0], method); }, {{7, 12}});
  }
}

TEST(HalfActivationsTest, ThePlanSaysThatF16IsWidened) {
  const ScopedEnv env("TWOFOUR_KERNEL", std::nullopt);
  LinearPlanner planner(256, 128);
  for (const Direction direction : {Direction::kForward, Direction::kInputGrad}) {
    for (const int64_t batch : {1, 40, 2048}) {
      for (int round = 0; round < 2; ++round) {  // The second round gets what the planner has kept.
        const auto plan = [&](DType dtype) { return planner.For(direction, batch, MaskFormat::TwoOfFour(), dtype); };
        EXPECT_FALSE(plan(DType::kF32).widened);
        EXPECT_TRUE(plan(DType::kF16).widened);
        EXPECT_EQ(plan(DType::kF16).kernel, plan(DType::kF32).kernel);
        EXPECT_FALSE(plan(DType::kBF16).widened);
        EXPECT_EQ(plan(DType::kBF16).kernel->activation, DType::kBF16);
      }
    }
  }
  const LinearProblem problem{256, 128, 2048},
      f16{.out_features = 256, .in_features = 128, .batch = 2048, .input = DType::kF16, .output = DType::kF16};
  EXPECT_EQ(ExplainLinearKernel(f16), "no kernel takes f16, which is widened to f32: " + ExplainLinearKernel(problem));
}

TEST(HalfActivationsTest, AForcedKernelIsTakenAndWidened) {
  const ScopedEnv env("TWOFOUR_KERNEL", "scalar_reference");
  LinearProblem problem{64, 64, 7};
  problem.input = problem.output = DType::kF16;
  const LinearPlan plan = ChooseLinearKernel(problem);
  EXPECT_EQ(plan.kernel->name, "scalar_reference");
  EXPECT_TRUE(plan.forced);
  EXPECT_TRUE(plan.widened);
  EXPECT_EQ(ExplainLinearKernel(problem), "forced by TWOFOUR_KERNEL; it takes f32, to which f16 is widened");
}

TEST(HalfActivationsTest, OtherDTypesAreNotWidened) {
  const ScopedEnv env("TWOFOUR_KERNEL", std::nullopt);
  LinearProblem problem{64, 64, 7};
  problem.input = problem.output = DType::kF64;
  EXPECT_THAT([&] { ChooseLinearKernel(problem); },
              ThrowsMessage<Error>(HasSubstr("multiplies f32 with f32 to f32, here f64 with f32 to f64")));
}

}  // namespace
}  // namespace twofour::sparse
