// A SemiSparseLinear whose kept entries are shrunk by a threshold and scaled.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "twofour/core/ops.h"
#include "twofour/nn/linear.h"
#include "twofour/nn/mlp.h"
#include "twofour/nn/mlp_stack.h"
#include "twofour/nn/semi_sparse_linear.h"
#include "twofour/nn/swap.h"

#include "tests/nn/recipe_layer.h"
#include "tests/support/expect_error.h"
#include "tests/support/scoped_env.h"
#include "tests/support/tensors.h"

namespace twofour::nn {
namespace {

using sparse::MaskMethod;
using sparse::MaskPlan;
using sparse::ScheduleShape;
using sparse::SparsitySchedule;
using test::kIn;
using test::kOut;
using test::MakeLayer;
using test::SoftOptions;
using test::Update;
using ::testing::HasSubstr;
using twofour::test::ExpectClose;
using twofour::test::RandomF32;
using twofour::test::ScopedEnv;

/// scale * threshold(weight), from sorted groups of four.
Tensor SoftWeight(const Tensor& weight, double scale) {
  std::vector<float> values = weight.ToVector();
  for (size_t group = 0; group < values.size(); group += 4) {
    std::vector<float> rising;
    for (int i = 0; i < 4; ++i) rising.push_back(std::fabs(values[group + i]));
    std::sort(rising.begin(), rising.end());
    for (int i = 0; i < 4; ++i) {
      const double left = std::fabs(double{values[group + i]}) - double{rising[1]};
      values[group + i] = left > 0 ? static_cast<float>(scale * std::copysign(left, values[group + i])) : 0.0f;
    }
  }
  return twofour::test::F32(values, weight.shape());
}

/// The s that minimises |weight - s * soft|^2, from the quadratic through three of its values.
double BestScale(const Tensor& weight) {
  const auto distance = [&](double scale) {
    double sum = 0;
    const Tensor soft = SoftWeight(weight, scale);
    for (int64_t i = 0; i < weight.numel(); ++i) {
      sum += std::pow(double{weight.data<float>()[i]} - double{soft.data<float>()[i]}, 2);
    }
    return sum;
  };
  const double at0 = distance(0), at1 = distance(1), at2 = distance(2);
  const double curvature = at2 - 2 * at1 + at0, slope = at1 - at0 - curvature / 2;
  return -slope / curvature;
}

TEST(SoftThresholdLinearTest, ComputesWithTheScaledRestAndPassesGradientsStraightThrough) {
  SemiSparseLinear layer = MakeLayer(SoftOptions());
  const double scale = BestScale(layer.weight());
  for (int64_t step = 0; step < 3; ++step) {
    layer.SetOptimizerStep(step);
    const Tensor soft = SoftWeight(layer.weight(), scale);  // The first scale is used in all steps.
    Tensor x = RandomF32({5, kIn}, {.seed = 3}), same_x = x.Clone(), w = soft.Clone(), bias = layer.bias().Clone();
    for (Tensor* leaf : {&x, &same_x, &w, &bias}) leaf->set_requires_grad();
    const Tensor dy = RandomF32({5, kOut}, {.seed = 4});
    for (Tensor parameter : layer.Parameters()) parameter.ZeroGrad();
    const Tensor y = layer.Forward(x), expected = ops::Linear(same_x, w, bias);
    ExpectClose(y.Detach(), expected.Detach(), 1e-4, 1e-5);
    y.Backward(dy);
    expected.Backward(dy);
    ExpectClose(x.grad(), same_x.grad(), 1e-4, 1e-5);
    ExpectClose(layer.weight().grad(), w.grad());  // The gradient is neither masked nor scaled.
    Update(layer, step);
  }
  EXPECT_NEAR(layer.Buffers().at(4).tensor.item(), scale, 1e-5);
  EXPECT_GT(std::fabs(BestScale(layer.weight()) - scale), 1e-3);  // Otherwise the test shows nothing.
}

TEST(SoftThresholdLinearTest, FindsItsScaleWithTheFirstMaskNotInTheWarmUp) {
  SemiSparseOptions options = SoftOptions();
  options.plan = MaskPlan({.method = MaskMethod::kRows, .first_sparse_step = 2});
  SemiSparseLinear layer = MakeLayer(options);
  for (int64_t step = 0; step < 2; ++step) {
    layer.SetOptimizerStep(step);
    EXPECT_EQ(layer.Buffers().size(), 4u);
    Update(layer, step);
  }
  EXPECT_NEAR(layer.Buffers().at(4).tensor.item(), BestScale(layer.weight()), 1e-5);
}

TEST(SoftThresholdLinearTest, ALinearInItsPlaceComputesTheSame) {
  Generator generator(1);
  MlpStack model({.in_features = 16, .hidden_features = {32}, .out_features = 16}, generator);
  SwapLinearWithSemiSparseLinear(model, {.sparsity = SoftOptions()});
  const Tensor x = RandomF32({5, 16}, {.seed = 3}), y = model.Forward(x).Detach();
  SwapSemiSparseLinearWithLinear(model, /*apply_mask=*/true);
  ExpectClose(model.Forward(x).Detach(), y);
}

TEST(SoftThresholdLinearTest, IsNotForTheFusedMlp) {
  // So few entries are kept that the mask is 2:4 both ways, and the shape could run as one op.
  const ScopedEnv env("TWOFOUR_KERNEL", std::nullopt);
  SemiSparseOptions options{.plan = MaskPlan({.method = MaskMethod::kRows, .rows = {1, 32}}), .soft_threshold = true};
  std::vector<Tensor> results;
  for (const bool fused : {true, false}) {
    Generator generator(3);
    Mlp mlp({.in_features = 128, .hidden_features = 256, .out_features = 128}, generator);
    options.fused_mlp = fused;
    SwapLinearWithSemiSparseLinear(mlp, {.multiple_of = 32, .sparsity = options});
    for (const auto& [name, layer] : FindSemiSparseLinears(mlp)) {
      // One entry per row, so that a tile's column never keeps three of its four rows.
      Tensor weight = layer->weight();
      for (int64_t row = 0; row < weight.dim(0); ++row) {
        for (int64_t group = 0; group < weight.dim(1); group += 32) {
          weight.mutable_data<float>()[row * weight.dim(1) + group + row % 32] = 2;
        }
      }
      ASSERT_EQ(layer->mask().FirstTileAboveTwoOfFour(), std::nullopt);
    }
    // With few hidden activations, the fused op would multiply with the masked weight, which is not the weight of this
    // layer.
    Tensor bias = FindSemiSparseLinears(mlp)[0].layer->bias();
    bias.CopyFrom(Tensor::Full({256}, -12));
    std::string why_not;
    EXPECT_EQ(mlp.FusedKernel(200, DType::kF32, &why_not), nullptr);
    EXPECT_EQ(why_not, fused ? "its masks are not 2:4 both ways, or not applied" : "turned off");
    Tensor x = RandomF32({200, 128}, {.seed = 6}, -4, 4);
    x.set_requires_grad();
    const Tensor y = mlp.Forward(x);
    y.Backward(RandomF32({200, 128}, {.seed = 7}));
    results.push_back(y.Detach());
    results.push_back(x.grad());
  }
  ExpectClose(results[0], results[2], 1e-3, 1e-3);
  ExpectClose(results[1], results[3], 1e-3, 1e-3);
}

TEST(SoftThresholdScaleTest, OfAWeightThatBeginsAtZeroIsFoundOnceItIsNot) {
  SemiSparseLinear layer(Tensor::Zeros({8, 16}), Tensor(),
                         {.plan = MaskPlan({.method = sparse::MaskMethod::kRows}), .soft_threshold = true});
  EXPECT_EQ(layer.EffectiveWeight().ToVector(), std::vector<float>(8 * 16, 0.0f));
  Tensor weight = layer.weight();
  FillUniform(weight, -1, 1, {.seed = 9});
  const std::vector<float> w = weight.ToVector(), effective = layer.EffectiveWeight().ToVector();
  // The least-squares scale leaves a residual that is orthogonal to what it scales.
  double product = 0, square = 0;
  for (size_t i = 0; i < w.size(); ++i) {
    product += (w[i] - effective[i]) * effective[i];
    square += effective[i] * effective[i];
  }
  EXPECT_NEAR(product / square, 0, 1e-6);
}

TEST(SoftThresholdScaleTest, NoScheduleGoesBeforeIt) {
  const SparsitySchedule linear({.shape = ScheduleShape::kLinear, .begin_step = 0, .end_step = 4});
  const MaskPlan plan({.method = sparse::MaskMethod::kRows, .schedule = linear});
  EXPECT_ERROR(MakeLayer({.plan = plan, .soft_threshold = true}), ErrorKind::kInvalidInput,
               ::testing::HasSubstr("soft_threshold with a schedule"));
}

}  // namespace
}  // namespace twofour::nn
