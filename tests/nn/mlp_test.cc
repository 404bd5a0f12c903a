#include "twofour/nn/mlp.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/ops.h"
#include "twofour/nn/semi_sparse_linear.h"
#include "twofour/nn/state_dict.h"
#include "twofour/nn/swap.h"
#include "twofour/optim/sgd.h"

#include "tests/nn/compare_with_ops.h"
#include "tests/support/fixtures.h"
#include "tests/support/input_densities.h"
#include "tests/support/scoped_env.h"

namespace twofour::nn {
namespace {

using test::ExpectBitEqual;
using test::ExpectClose;
using test::ExpectComputes;
using test::Fixture;
using test::RandomF32;
using test::ScopedEnv;
using ::testing::HasSubstr;

TEST(MlpTest, ComputesProjectionOfActivation) {
  for (Activation activation : {Activation::kReluSquared, Activation::kGelu}) {
    Generator generator(1);
    Mlp mlp({.in_features = 5, .hidden_features = 7, .out_features = 3, .activation = activation}, generator);
    ExpectComputes(mlp, RandomF32({4, 5}, {.seed = 1}), [=](const auto& in) {
      return ops::Linear(Activate(activation, ops::Linear(in[0], in[1], in[2])), in[3], in[4]);
    });
  }
  Generator generator(2);
  Mlp without_bias({.in_features = 5, .hidden_features = 7, .out_features = 3, .bias = false}, generator);
  ExpectComputes(without_bias, RandomF32({2, 2, 5}, {.seed = 2}),
                 [](const auto& in) { return ops::Linear(ReluSquared(ops::Linear(in[0], in[1])), in[2]); });
}

TEST(MlpTest, AGateMakesItThreeLinears) {
  Generator generator(1);
  Mlp mlp({.in_features = 5, .hidden_features = 7, .out_features = 3, .bias = false, .activation = Activation::kSwiGlu},
          generator);
  ExpectComputes(mlp, RandomF32({4, 5}, {.seed = 1}), [](const auto& in) {
    return ops::Linear(SwiGlu(ops::Linear(in[0], in[1]), ops::Linear(in[0], in[2])), in[3]);
  });
  EXPECT_EQ(mlp.NamedParameters()[0].name, "c_gate.weight");
}

TEST(MlpTest, AgreesWithPyTorch) {
  const Fixture fixture("relu2_mlp");
  Generator generator(1);
  Mlp mlp({.in_features = 8, .hidden_features = 12, .out_features = 8}, generator);
  std::vector<NamedTensor> state;
  for (const NamedTensor& parameter : mlp.NamedParameters()) {
    state.push_back({parameter.name, fixture.Get(parameter.name)});
  }
  LoadStateDict(mlp, state, "relu2_mlp");
  Tensor x = fixture.Get("x");
  x.set_requires_grad();
  const Tensor output = mlp.Forward(x);
  ExpectClose(output, fixture.Get("output"));
  output.Backward(fixture.Get("upstream"));
  ExpectClose(x.grad(), fixture.Get("x.grad"));
  for (const NamedTensor& parameter : mlp.NamedParameters()) {
    SCOPED_TRACE(parameter.name);
    ExpectClose(parameter.tensor.grad(), fixture.Get(parameter.name + ".grad"));
  }
}

/// Always makes the same 2:4 MLP. `fused` says whether it may run as one op.
std::unique_ptr<Mlp> SparseMlp(bool fused, Activation activation = Activation::kReluSquared) {
  Generator generator(4);
  auto mlp = std::make_unique<Mlp>(
      MlpOptions{.in_features = 128, .hidden_features = 64, .out_features = 132, .activation = activation}, generator);
  SwapLinearWithSemiSparseLinear(*mlp, {.include = ".*", .multiple_of = 4, .sparsity = {.fused_mlp = fused}});
  return mlp;
}

SemiSparseLinear& ChildOf(Mlp& mlp, const std::string& child) {
  SemiSparseLinear* found = nullptr;
  mlp.VisitModules([&](const std::string& name, Module& module) {
    if (name == child) found = &dynamic_cast<SemiSparseLinear&>(module);
  });
  return *found;
}

TEST(SparseMlpTest, AsOneOpIsTheSameAsLinearByLinear) {
  const ScopedEnv env("TWOFOUR_KERNEL", std::nullopt);
  const std::unique_ptr<Mlp> fused = SparseMlp(true), composed = SparseMlp(false);
  ASSERT_NE(fused->FusedKernel(200), nullptr);
  ASSERT_EQ(composed->FusedKernel(200), nullptr);
  // Small enough that gradients do not grow from step to step. Otherwise the rounding errors of large elements would
  // hide the small ones.
  optim::Sgd fused_sgd(fused->Parameters(), {.lr = 1e-4f}), composed_sgd(composed->Parameters(), {.lr = 1e-4f});
  const auto expected = composed->NamedParameters(), actual = fused->NamedParameters();
  for (int step = 0; step < 3; ++step) {
    const Tensor x = RandomF32({200, 128}, {.seed = 5, .step = static_cast<uint64_t>(step)});
    test::InputDensities densities;
    {
      const ForwardObserverScope observing(densities);
      Sum(fused->Forward(x)).Backward();
      Sum(composed->Forward(x)).Backward();
    }
    for (size_t i = 0; i < expected.size(); ++i) {
      SCOPED_TRACE(expected[i].name);
      ExpectClose(actual[i].tensor.grad(), expected[i].tensor.grad(), 1e-4, 1e-4);
    }
    fused_sgd.Step();
    composed_sgd.Step();
    fused_sgd.ZeroGrad();
    composed_sgd.ZeroGrad();
    for (const char* child : {"c_fc", "c_proj"}) {
      EXPECT_NEAR(densities.Of(ChildOf(*fused, child)), densities.Of(ChildOf(*composed, child)), 1e-3) << child;
    }
  }
  for (size_t i = 0; i < expected.size(); ++i) {
    SCOPED_TRACE(expected[i].name);
    ExpectClose(actual[i].tensor, expected[i].tensor, 1e-5, 1e-5);
  }
}

TEST(SparseMlpTest, SaysWhyItRunsLinearByLinear) {
  const ScopedEnv env("TWOFOUR_KERNEL", std::nullopt);
  const auto reason = [](Mlp& mlp, int64_t batch) {
    std::string why_not;
    EXPECT_EQ(mlp.FusedKernel(batch, DType::kF32, &why_not), nullptr);
    return why_not;
  };
  EXPECT_EQ(reason(*SparseMlp(false), 200), "turned off");
  EXPECT_THAT(reason(*SparseMlp(true), 1), HasSubstr("batch rows"));
  EXPECT_THAT(reason(*SparseMlp(true, Activation::kRelu), 200), HasSubstr("relu"));
  Generator generator(1);
  Mlp dense({.in_features = 32, .hidden_features = 64, .out_features = 16}, generator);
  EXPECT_THAT(reason(dense, 200), HasSubstr("SemiSparseLinear"));
}

TEST(MlpTest, ZeroProjectionStartsAtZero) {
  Generator generator(1);
  Mlp mlp({.in_features = 4, .hidden_features = 8, .out_features = 4, .c_proj_init = LinearInit::Zero()}, generator);
  ExpectBitEqual(mlp.Forward(RandomF32({3, 4}, {.seed = 1})).Detach(), Tensor::Zeros({3, 4}));
}

TEST(MlpTest, OtherSizesAreErrors) {
  Generator generator(1);
  EXPECT_THROW(Mlp({.in_features = 4, .hidden_features = 0, .out_features = 4}, generator), Error);
  Mlp mlp({.in_features = 4, .hidden_features = 8, .out_features = 4}, generator);
  EXPECT_THROW(mlp.Forward(Tensor::Zeros({3, 8})), Error);
}

/// The losses of some SGD steps towards a fixed target.
std::vector<double> Train(Module& module, const Tensor& x, const Tensor& target, int steps) {
  optim::Sgd sgd(module.Parameters(), {.lr = 0.05});
  std::vector<double> losses;
  for (int step = 0; step < steps; ++step) {
    const Tensor loss = MseLoss(module.Forward(x), target);
    losses.push_back(loss.item());
    sgd.ZeroGrad();
    loss.Backward();
    sgd.Step();
  }
  return losses;
}

TEST(FusedMlpTest, LearnsFromAZeroProjection) {
  // At first magnitudes tie at zero and dx is zero. The straight-through gradient must break this deadlock.
  for (sparse::MaskMethod method : {sparse::MaskMethod::kExact, sparse::MaskMethod::kGreedy}) {
    Generator generator(3);
    Mlp mlp({.in_features = 16, .hidden_features = 32, .out_features = 16, .c_proj_init = LinearInit::Zero()},
            generator);
    ASSERT_EQ(SwapLinearWithSemiSparseLinear(mlp, {.sparsity = {.plan = sparse::MaskPlan({.method = method})}})
                  .converted.size(),
              2u);
    const std::vector<NamedTensor> parameters = mlp.NamedParameters();
    std::vector<Tensor> before;
    for (const NamedTensor& parameter : parameters) before.push_back(parameter.tensor.Clone());
    const auto losses =
        Train(mlp, RandomF32({32, 16}, {.seed = 4}, -2, 2), RandomF32({32, 16}, {.seed = 5}, -2, 2), 60);
    EXPECT_LT(losses.back(), 0.9 * losses.front());
    for (size_t i = 0; i < parameters.size(); ++i) {
      EXPECT_NE(parameters[i].tensor.ToVector(), before[i].ToVector()) << parameters[i].name;
    }
    // Pruned entries of the projection learn, too: masked or not, no entry is still zero.
    for (float weight : parameters[2].tensor.ToVector()) EXPECT_NE(weight, 0.0f);
  }
}

}  // namespace
}  // namespace twofour::nn
