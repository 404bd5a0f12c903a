#include "twofour/nn/swap.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/ops.h"
#include "twofour/nn/density.h"
#include "twofour/nn/linear.h"
#include "twofour/nn/mlp.h"
#include "twofour/nn/mlp_stack.h"
#include "twofour/nn/residual_mlp.h"
#include "twofour/optim/adamw.h"

#include "tests/nn/swapped_stack.h"
#include "tests/sparse/patterns.h"
#include "tests/support/expect_error.h"
#include "tests/support/tensors.h"

namespace twofour::nn {
namespace {

using test::ExpectBitEqual;
using test::ExpectClose;
using test::PatternOf;
using test::RandomF32;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::ThrowsMessage;

TEST(SwapTest, ConvertsEligibleLinearsAndSaysWhyNotTheOthers) {
  MlpStack stack = SmallStack();
  const SwapReport report = SwapLinearWithSemiSparseLinear(stack);
  ASSERT_THAT(Names(report.converted), ElementsAre("layers.0", "layers.1"));
  EXPECT_EQ(report.converted[0].out_features, 32);
  EXPECT_EQ(report.converted[0].in_features, 16);
  EXPECT_EQ(report.converted[0].reason, "");
  ASSERT_THAT(Names(report.kept_dense), ElementsAre("layers.2"));
  EXPECT_EQ(report.kept_dense[0].out_features, 10);
  EXPECT_EQ(report.kept_dense[0].reason, "out_features 10 is not a multiple of 16");
  EXPECT_THAT(Types(stack), ElementsAre("layers.0:SemiSparseLinear", "layers.1:SemiSparseLinear", "layers.2:Linear"));
}

TEST(SwapTest, NamesMustMatchAsAWhole) {
  for (const std::string include : {"layers", "ayers.0", "layers.0.", "0", ""}) {
    MlpStack stack = SmallStack();
    const SwapReport report = SwapLinearWithSemiSparseLinear(stack, {.include = include});
    EXPECT_THAT(report.converted, IsEmpty()) << include;
    ASSERT_EQ(report.kept_dense.size(), 3u);
    EXPECT_EQ(report.kept_dense[0].reason, "name does not match include '" + include + "'");
  }
  MlpStack stack = SmallStack();
  EXPECT_THAT(Names(SwapLinearWithSemiSparseLinear(stack, {.include = R"(layers\.[0-9])"}).converted),
              ElementsAre("layers.0", "layers.1"));
}

TEST(SwapTest, ExcludeWinsOverInclude) {
  MlpStack stack = SmallStack();
  const SwapReport report = SwapLinearWithSemiSparseLinear(stack, {.include = "layers.*", .exclude = R"(.*\.1)"});
  EXPECT_THAT(Names(report.converted), ElementsAre("layers.0"));
  EXPECT_EQ(report.kept_dense[0].reason, R"(name matches exclude '.*\.1')");
  MlpStack other = SmallStack();  // A pattern that matches only a part of a name excludes nothing.
  EXPECT_THAT(Names(SwapLinearWithSemiSparseLinear(other, {.exclude = "layers"}).converted),
              ElementsAre("layers.0", "layers.1"));
}

TEST(SwapTest, MultipleOfDecides) {
  MlpStack stack = SmallStack();
  const SwapReport report = SwapLinearWithSemiSparseLinear(stack, {.multiple_of = 32});
  EXPECT_THAT(report.converted, IsEmpty());
  EXPECT_EQ(report.kept_dense[0].reason, "in_features 16 is not a multiple of 32");
  Generator generator(1);
  MlpStack fours({.in_features = 4, .hidden_features = {8, 6}, .out_features = 4}, generator);
  EXPECT_THAT(Names(SwapLinearWithSemiSparseLinear(fours, {.multiple_of = 4}).converted), ElementsAre("layers.0"));
}

TEST(SwapTest, LinearsMayHavePlansOfTheirOwn) {
  using sparse::MaskMethod, sparse::MaskPlan;
  const MaskPlan half({.method = MaskMethod::kPattern, .pattern = PatternOf("unstructured:0.5")});
  const MaskPlan most({.method = MaskMethod::kPattern, .pattern = PatternOf("unstructured:0.9")});
  MlpStack stack = SmallStack();
  const SwapReport report = SwapLinearWithSemiSparseLinear(
      stack, {.multiple_of = 1, .sparsity = {.plan = half}, .plans = {{"layers.1", most}}});
  EXPECT_THAT(Names(report.converted), ElementsAre("layers.0", "layers.1", "layers.2"));
  const auto layers = FindSemiSparseLinears(stack);
  EXPECT_EQ(layers[0].layer->mask().CountKept(), 16 * 32 / 2);
  EXPECT_EQ(layers[1].layer->mask().CountKept(), 51);
  EXPECT_EQ(layers[2].layer->mask().CountKept(), 10 * 16 / 2);
  MlpStack other = SmallStack();
  const auto refuses = [&](const SwapOptions& options, const char* message) {
    EXPECT_ERROR(SwapLinearWithSemiSparseLinear(other, options), ErrorKind::kInvalidInput, HasSubstr(message));
    EXPECT_TRUE(FindSemiSparseLinears(other).empty());
  };
  refuses({.plans = {{"layers.7", MaskPlan()}}}, "layers.7: there is no such linear");
  refuses({.plans = {{"layers.2", MaskPlan()}}}, "layers.2: out_features 10 is not a multiple of 16");
  refuses({.multiple_of = 2, .sparsity = {.plan = half}, .plans = {{"layers.1", MaskPlan()}}},
          "multiple_of: got 2, expected a multiple of 4 from 4 to");
  refuses({.multiple_of = 0, .sparsity = {.plan = half}}, "multiple_of: got 0, expected 1 to 1048576");
}

/// Products of weights of any size under masks of a budget, against dense ones of the masked weight.
TEST(SwapTest, ABudgetTakesAnySize) {
  Generator generator(1);
  MlpStack stack({.in_features = 7, .hidden_features = {13}, .out_features = 3}, generator);
  const sparse::MaskPlan plan({.method = sparse::MaskMethod::kPattern, .pattern = PatternOf("block:2x3:0.5")});
  SwapLinearWithSemiSparseLinear(stack, {.multiple_of = 1, .sparsity = {.plan = plan}});
  const Tensor x = RandomF32({5, 7}, {.seed = 3});
  const Tensor y = stack.Forward(x);
  for (const auto& [name, layer] : FindSemiSparseLinears(stack)) {
    EXPECT_LT(NonZeroShare(layer->EffectiveWeight()), 0.7) << name;
  }
  SwapSemiSparseLinearWithLinear(stack, /*apply_mask=*/true);
  ExpectClose(stack.Forward(x), y, 1e-5, 1e-6);
}

TEST(SwapTest, BadOptionsChangeNothing) {
  MlpStack stack = SmallStack();
  const auto types = Types(stack);
  const auto swap = [&stack](SwapOptions options) {
    return [&stack, options] { SwapLinearWithSemiSparseLinear(stack, options); };
  };
  EXPECT_THAT(swap({.include = "layers.["}), ThrowsMessage<Error>(AllOf(HasSubstr("include: 'layers.['"),
                                                                        HasSubstr("expected a regular expression"))));
  EXPECT_THAT(swap({.exclude = "*"}), ThrowsMessage<Error>(HasSubstr("exclude: '*'")));
  for (int64_t multiple_of : {-4, 0, 2, 6}) {
    EXPECT_THAT(swap({.multiple_of = multiple_of}),
                ThrowsMessage<Error>(HasSubstr("multiple_of: got " + std::to_string(multiple_of))))
        << multiple_of;
  }
  EXPECT_THAT(swap({.sparsity = {.interval = 0}}), ThrowsMessage<Error>(HasSubstr("interval")));
  for (const sparse::MaskMethod method :
       {sparse::MaskMethod::kRandom, sparse::MaskMethod::kRows, sparse::MaskMethod::kSignedGreedy}) {
    EXPECT_THAT(swap({.target = SwapTarget::kActivation, .activation_method = method}),
                ThrowsMessage<Error>("activation_method: got " + std::string(NameOf(method)) +
                                     ", expected exact or greedy for activations"));
    EXPECT_THAT(
        [&] {
          SemiSparseActivationLinear(Tensor::Zeros({4, 4}), Tensor(), method);
        },
        ThrowsMessage<Error>("SemiSparseActivationLinear: method is " + std::string(NameOf(method)) +
                             ", expected exact or greedy for activations"));
  }
  // An error even if no linear would have been converted.
  EXPECT_THAT(swap({.include = "none", .sparsity = {.interval = -1}}), ThrowsMessage<Error>(HasSubstr("interval")));
  EXPECT_EQ(Types(stack), types);
}

/// A parent of two linears, the second in double.
class MixedPair : public Module {
 public:
  MixedPair() {
    RegisterModule("single", std::make_unique<Linear>(Tensor::Zeros({16, 16}), Tensor()));
    RegisterModule("double", std::make_unique<Linear>(Tensor::Zeros({16, 16}, DType::kF64), Tensor()));
  }
  std::string_view type_name() const override { return "MixedPair"; }
  Tensor Forward(const Tensor& x) override { return x; }
};

TEST(SwapTest, OtherElementTypesStayDense) {
  MixedPair pair;
  for (SwapTarget target : {SwapTarget::kWeight, SwapTarget::kActivation}) {
    const SwapReport report = SwapLinearWithSemiSparseLinear(pair, {.target = target});
    EXPECT_THAT(Names(report.converted), ElementsAre("single"));
    ASSERT_THAT(Names(report.kept_dense), ElementsAre("double"));
    EXPECT_THAT(report.kept_dense[0].reason, HasSubstr("f64"));
    SwapSemiSparseLinearWithLinear(pair);
  }
}

TEST(SwapTest, ARootThatIsALinearIsReported) {
  Generator generator(1);
  Linear root({.in_features = 16, .out_features = 16}, generator);
  const SwapReport report = SwapLinearWithSemiSparseLinear(root);
  EXPECT_THAT(report.converted, IsEmpty());
  ASSERT_EQ(report.kept_dense.size(), 1u);
  EXPECT_EQ(report.kept_dense[0].name, "");
  EXPECT_THAT(report.kept_dense[0].reason, HasSubstr("root"));
}

TEST(SwapTest, NestedNamesAreWhole) {
  Generator generator(1);
  ResidualMlp model({.in_features = 16, .width = 16, .num_blocks = 2, .out_features = 16}, generator);
  const SwapReport report = SwapLinearWithSemiSparseLinear(model, {.include = R"(.*\.mlp\..*)"});
  EXPECT_THAT(Names(report.converted),
              ElementsAre("blocks.0.mlp.c_fc", "blocks.0.mlp.c_proj", "blocks.1.mlp.c_fc", "blocks.1.mlp.c_proj"));
  EXPECT_THAT(Names(report.kept_dense), ElementsAre("input", "head"));
  Tensor weight = FindSemiSparseLinears(model)[2].layer->weight();
  weight.mutable_data<float>()[0] = std::numeric_limits<float>::infinity();
  EXPECT_THAT(
      [&] {
        model.Forward(RandomF32({2, 16}, {.seed = 1}));
      },
      ThrowsMessage<Error>(HasSubstr("blocks.1.mlp.c_fc.weight")));
}

TEST(SwapTest, SwappingTwiceIsHarmless) {
  MlpStack stack = SmallStack();
  SwapLinearWithSemiSparseLinear(stack, {.sparsity = {.interval = 7}});
  SemiSparseLinear* const layer = FindSemiSparseLinears(stack)[0].layer;
  const SwapReport again = SwapLinearWithSemiSparseLinear(stack);
  EXPECT_THAT(again.converted, IsEmpty());
  EXPECT_THAT(Names(again.kept_dense), ElementsAre("layers.2"));
  EXPECT_EQ(FindSemiSparseLinears(stack)[0].layer, layer);
  EXPECT_EQ(layer->options().interval, 7);
  EXPECT_EQ(SwapSemiSparseLinearWithLinear(stack).converted.size(), 2u);
  EXPECT_THAT(SwapSemiSparseLinearWithLinear(stack).converted, IsEmpty());
}

TEST(SwapTest, ParametersAndTheirNamesStay) {
  MlpStack stack = SmallStack();
  const auto before = stack.NamedParameters();
  const auto expect_same = [&] {
    const auto after = stack.NamedParameters();
    ASSERT_EQ(after.size(), before.size());
    for (size_t i = 0; i < before.size(); ++i) {
      EXPECT_EQ(after[i].name, before[i].name);
      EXPECT_EQ(after[i].tensor.impl(), before[i].tensor.impl());
      EXPECT_TRUE(after[i].tensor.requires_grad());
    }
  };
  SwapLinearWithSemiSparseLinear(stack);
  expect_same();
  SwapSemiSparseLinearWithLinear(stack);
  expect_same();
  SwapLinearWithSemiSparseLinear(stack, {.target = SwapTarget::kActivation});
  expect_same();
  SwapSemiSparseLinearWithLinear(stack);
  expect_same();
}

TEST(SwapTest, FrozenParametersStayFrozen) {
  for (SwapTarget target : {SwapTarget::kWeight, SwapTarget::kActivation}) {
    MlpStack stack = SmallStack();
    for (NamedTensor& parameter : stack.NamedParameters()) {
      parameter.tensor.set_requires_grad(parameter.name != "layers.0.weight" && parameter.name != "layers.1.bias");
    }
    const auto expect_same = [&] {
      for (const NamedTensor& parameter : stack.NamedParameters()) {
        EXPECT_EQ(parameter.tensor.requires_grad(),
                  parameter.name != "layers.0.weight" && parameter.name != "layers.1.bias")
            << parameter.name;
      }
    };
    SwapLinearWithSemiSparseLinear(stack, {.target = target});
    expect_same();
    SwapSemiSparseLinearWithLinear(stack);
    expect_same();
  }
}

TEST(SwapTest, AnOptimizerMadeBeforeKeepsTraining) {
  MlpStack stack = SmallStack();
  optim::AdamW adamw(stack.Parameters(), {.lr = 1e-2});
  const Tensor x = RandomF32({8, 16}, {.seed = 2});
  const auto step = [&] {
    std::vector<std::vector<float>> before;
    for (const Tensor& parameter : stack.Parameters()) before.push_back(parameter.ToVector());
    adamw.ZeroGrad();
    Sum(stack.Forward(x)).Backward();
    adamw.Step();
    const auto parameters = stack.Parameters();
    for (size_t i = 0; i < parameters.size(); ++i) EXPECT_NE(parameters[i].ToVector(), before[i]) << i;
  };
  SwapLinearWithSemiSparseLinear(stack);
  step();
  SwapSemiSparseLinearWithLinear(stack, /*apply_mask=*/true);
  step();
}

TEST(SwapTest, TrainingModeStays) {
  MlpStack stack = SmallStack();
  stack.SetTraining(false);
  SwapLinearWithSemiSparseLinear(stack);
  stack.VisitModules([](const std::string& name, Module& module) { EXPECT_FALSE(module.training()) << name; });
  SwapSemiSparseLinearWithLinear(stack);
  stack.VisitModules([](const std::string& name, Module& module) { EXPECT_FALSE(module.training()) << name; });
}

TEST(SwapTest, OptionsReachTheLayers) {
  MlpStack stack = SmallStack();
  SwapLinearWithSemiSparseLinear(
      stack, {.sparsity = {.plan = sparse::MaskPlan({.method = sparse::MaskMethod::kGreedy}), .interval = 3}});
  const auto layers = FindSemiSparseLinears(stack);
  ASSERT_EQ(layers.size(), 2u);
  EXPECT_EQ(layers[1].name, "layers.1");
  EXPECT_EQ(layers[1].layer->options().plan.options().method, sparse::MaskMethod::kGreedy);
  EXPECT_EQ(layers[1].layer->options().interval, 3);
}

TEST(SwapTest, ActivationTarget) {
  MlpStack stack = SmallStack();
  const SwapReport report = SwapLinearWithSemiSparseLinear(stack, {.target = SwapTarget::kActivation});
  EXPECT_THAT(Names(report.converted), ElementsAre("layers.0", "layers.1"));
  EXPECT_THAT(Types(stack), ElementsAre("layers.0:SemiSparseActivationLinear", "layers.1:SemiSparseActivationLinear",
                                        "layers.2:Linear"));
  EXPECT_THAT(FindSemiSparseLinears(stack), IsEmpty());
  EXPECT_EQ(stack.Forward(RandomF32({5, 16}, {.seed = 1})).shape(), (Shape{5, 10}));
  EXPECT_THAT(Names(SwapSemiSparseLinearWithLinear(stack, true).converted), ElementsAre("layers.0", "layers.1"));
}

TEST(FindSemiSparseLinearsTest, FindsTheRootToo) {
  SemiSparseLinear layer(RandomF32({4, 4}, {.seed = 1}), Tensor());
  const auto found = FindSemiSparseLinears(layer);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].name, "");
  EXPECT_EQ(found[0].layer, &layer);
}

/// Computes something else than a Linear.
class Scaled : public Linear {
 public:
  using Linear::Linear;
  std::string_view type_name() const override { return "Scaled"; }
  Tensor Forward(const Tensor& x) override { return Linear::Forward(x) * 100.0; }
};

class Holder : public Module {
 public:
  explicit Holder(std::unique_ptr<Module> child) { RegisterModule("l", std::move(child)); }
  std::string_view type_name() const override { return "Holder"; }
  Tensor Forward(const Tensor& x) override { return x; }
};

TEST(SwapTest, ClassesDerivedFromLinearAreKept) {
  Generator generator(1);
  Holder holder(std::make_unique<Scaled>(LinearOptions{.in_features = 16, .out_features = 16}, generator));
  const SwapReport report = SwapLinearWithSemiSparseLinear(holder);
  ASSERT_EQ(report.kept_dense.size(), 1u);
  EXPECT_EQ(report.kept_dense[0].reason, "is a Scaled, which is derived from Linear");
}

}  // namespace
}  // namespace twofour::nn
