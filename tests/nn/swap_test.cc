#include "twofour/nn/swap.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/ops.h"
#include "twofour/nn/linear.h"
#include "twofour/nn/mlp.h"
#include "twofour/nn/mlp_stack.h"
#include "twofour/nn/residual_mlp.h"
#include "twofour/nn/sparse_training.h"
#include "twofour/optim/adamw.h"
#include "twofour/sparse/pattern.h"

#include "tests/support/tensors.h"

namespace twofour::nn {
namespace {

using test::ExpectBitEqual;
using test::ExpectClose;
using test::RandomF32;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::ThrowsMessage;

std::vector<std::string> Names(const std::vector<SwapEntry>& entries) {
  std::vector<std::string> names;
  for (const SwapEntry& entry : entries) names.push_back(entry.name);
  return names;
}

/// "name:Type" for everything below the root.
std::vector<std::string> Types(Module& root) {
  std::vector<std::string> types;
  root.VisitSlots(
      [&](const std::string& name, ModuleSlot& slot) { types.push_back(name + ":" + std::string(slot->type_name())); });
  return types;
}

/// layers.0 [32, 16], layers.1 [16, 32], layers.2 [10, 16].
MlpStack MakeStack(uint64_t seed = 1) {
  Generator generator(seed);
  return MlpStack({.in_features = 16, .hidden_features = {32, 16}, .out_features = 10}, generator);
}

TEST(SwapTest, ConvertsEligibleLinearsAndSaysWhyNotTheOthers) {
  MlpStack stack = MakeStack();
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
    MlpStack stack = MakeStack();
    const SwapReport report = SwapLinearWithSemiSparseLinear(stack, {.include = include});
    EXPECT_THAT(report.converted, IsEmpty()) << include;
    ASSERT_EQ(report.kept_dense.size(), 3u);
    EXPECT_EQ(report.kept_dense[0].reason, "name does not match include '" + include + "'");
  }
  MlpStack stack = MakeStack();
  EXPECT_THAT(Names(SwapLinearWithSemiSparseLinear(stack, {.include = R"(layers\.[0-9])"}).converted),
              ElementsAre("layers.0", "layers.1"));
}

TEST(SwapTest, ExcludeWinsOverInclude) {
  MlpStack stack = MakeStack();
  const SwapReport report = SwapLinearWithSemiSparseLinear(stack, {.include = "layers.*", .exclude = R"(.*\.1)"});
  EXPECT_THAT(Names(report.converted), ElementsAre("layers.0"));
  EXPECT_EQ(report.kept_dense[0].reason, R"(name matches exclude '.*\.1')");
  MlpStack other = MakeStack();  // A pattern that matches only a part of a name excludes nothing.
  EXPECT_THAT(Names(SwapLinearWithSemiSparseLinear(other, {.exclude = "layers"}).converted),
              ElementsAre("layers.0", "layers.1"));
}

TEST(SwapTest, MultipleOfDecides) {
  MlpStack stack = MakeStack();
  const SwapReport report = SwapLinearWithSemiSparseLinear(stack, {.multiple_of = 32});
  EXPECT_THAT(report.converted, IsEmpty());
  EXPECT_EQ(report.kept_dense[0].reason, "in_features 16 is not a multiple of 32");
  Generator generator(1);
  MlpStack fours({.in_features = 4, .hidden_features = {8, 6}, .out_features = 4}, generator);
  EXPECT_THAT(Names(SwapLinearWithSemiSparseLinear(fours, {.multiple_of = 4}).converted), ElementsAre("layers.0"));
}

TEST(SwapTest, BadOptionsChangeNothing) {
  MlpStack stack = MakeStack();
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
  MlpStack stack = MakeStack();
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
  MlpStack stack = MakeStack();
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
    MlpStack stack = MakeStack();
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
  MlpStack stack = MakeStack();
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
  MlpStack stack = MakeStack();
  stack.SetTraining(false);
  SwapLinearWithSemiSparseLinear(stack);
  stack.VisitModules([](const std::string& name, Module& module) { EXPECT_FALSE(module.training()) << name; });
  SwapSemiSparseLinearWithLinear(stack);
  stack.VisitModules([](const std::string& name, Module& module) { EXPECT_FALSE(module.training()) << name; });
}

TEST(SwapTest, OptionsReachTheLayers) {
  MlpStack stack = MakeStack();
  SwapLinearWithSemiSparseLinear(
      stack, {.sparsity = {.plan = sparse::MaskPlan({.method = sparse::MaskMethod::kGreedy}), .interval = 3}});
  const auto layers = FindSemiSparseLinears(stack);
  ASSERT_EQ(layers.size(), 2u);
  EXPECT_EQ(layers[1].name, "layers.1");
  EXPECT_EQ(layers[1].layer->options().plan.options().method, sparse::MaskMethod::kGreedy);
  EXPECT_EQ(layers[1].layer->options().interval, 3);
}

TEST(SwapTest, ActivationTarget) {
  MlpStack stack = MakeStack();
  const SwapReport report = SwapLinearWithSemiSparseLinear(stack, {.target = SwapTarget::kActivation});
  EXPECT_THAT(Names(report.converted), ElementsAre("layers.0", "layers.1"));
  EXPECT_THAT(Types(stack), ElementsAre("layers.0:SemiSparseActivationLinear", "layers.1:SemiSparseActivationLinear",
                                        "layers.2:Linear"));
  EXPECT_THAT(FindSemiSparseLinears(stack), IsEmpty());
  EXPECT_EQ(stack.Forward(RandomF32({5, 16}, {.seed = 1})).shape(), (Shape{5, 10}));
  EXPECT_THAT(Names(SwapSemiSparseLinearWithLinear(stack, true).converted), ElementsAre("layers.0", "layers.1"));
}

TEST(UnswapTest, WithoutTheMaskTheDenseWeightsComeBack) {
  MlpStack stack = MakeStack(), dense = MakeStack();
  const Tensor x = RandomF32({5, 16}, {.seed = 1});
  SwapLinearWithSemiSparseLinear(stack);
  EXPECT_NE(stack.Forward(x).ToVector(), dense.Forward(x).ToVector());
  const SwapReport report = SwapSemiSparseLinearWithLinear(stack);
  EXPECT_THAT(Names(report.converted), ElementsAre("layers.0", "layers.1"));
  EXPECT_EQ(report.converted[0].out_features, 32);
  EXPECT_EQ(report.converted[0].in_features, 16);
  ExpectBitEqual(stack.Forward(x).Detach(), dense.Forward(x).Detach());
}

TEST(UnswapTest, WithTheMaskTheWeightsAreTwoFourAndComputeTheSame) {
  MlpStack stack = MakeStack();
  const Tensor x = RandomF32({5, 16}, {.seed = 1});
  SwapLinearWithSemiSparseLinear(stack);
  const Tensor sparse_output = stack.Forward(x);
  SwapSemiSparseLinearWithLinear(stack, /*apply_mask=*/true);
  ExpectClose(stack.Forward(x).Detach(), sparse_output.Detach());
  for (const NamedTensor& parameter : stack.NamedParameters()) {
    if (parameter.name != "layers.0.weight" && parameter.name != "layers.1.weight") continue;
    EXPECT_EQ(sparse::FindPatternViolation(parameter.tensor, sparse::PatternAxis::kBoth), std::nullopt)
        << parameter.name;
  }
}

TEST(UnswapTest, AnOldMaskIsAppliedAsItIsInForce) {
  MlpStack stack = MakeStack();
  SwapLinearWithSemiSparseLinear(stack, {.sparsity = {.interval = 100}});
  SemiSparseLinear* const layer = FindSemiSparseLinears(stack)[0].layer;
  const sparse::Mask mask = layer->mask();
  Tensor weight = layer->weight();
  FillUniform(weight, -1, 1, {.seed = 5});
  const Tensor expected = sparse::ApplyMask(weight, mask);
  SwapSemiSparseLinearWithLinear(stack, /*apply_mask=*/true);
  ExpectBitEqual(weight, expected);
}

TEST(UnswapTest, AWeightThatCannotBeMaskedChangesNothing) {
  for (const int64_t interval : {1, 100}) {
    MlpStack stack = MakeStack();
    SwapLinearWithSemiSparseLinear(stack, {.sparsity = {.interval = interval}});
    stack.Forward(RandomF32({5, 16}, {.seed = 1}));
    const auto layers = FindSemiSparseLinears(stack);
    Tensor bad = layers[1].layer->weight();
    bad.mutable_data<float>()[3] = std::numeric_limits<float>::quiet_NaN();
    const Tensor first = layers[0].layer->weight().Clone();
    const auto types = Types(stack);
    EXPECT_THAT([&] { SwapSemiSparseLinearWithLinear(stack, true); },
                ThrowsMessage<Error>(HasSubstr("layers.1.weight")));
    EXPECT_EQ(Types(stack), types);
    ExpectBitEqual(FindSemiSparseLinears(stack)[0].layer->weight(), first);
  }
}

/// The result of a run of AdamW: weights, then moments.
std::vector<std::vector<float>> Trained(MlpStack& stack, const optim::Optimizer& optimizer) {
  std::vector<std::vector<float>> trained;
  for (const Tensor& parameter : stack.Parameters()) trained.push_back(parameter.ToVector());
  for (const NamedTensor& slot : optimizer.StateDict()) {
    if (slot.tensor.dtype() == DType::kF32) trained.push_back(slot.tensor.ToVector());
  }
  return trained;
}

void TrainSteps(MlpStack& stack, optim::Optimizer& optimizer, int64_t begin, int64_t end) {
  SparseTraining training(stack);
  for (int64_t step = begin; step < end; ++step) {
    const StepContext context{.step = step, .lr = optimizer.lr()};
    training.BeforeStep(context);
    optimizer.ZeroGrad();
    Sum(ReluSquared(stack.Forward(RandomF32({6, 16}, {.seed = 4, .step = static_cast<uint64_t>(step)})))).Backward();
    training.AfterBackward(context);
    training.BeforeUpdate(context);
    optimizer.Step();
    training.AfterUpdate(context);
  }
}

TEST(UnswapTest, AnOptimizerGoesOnAsIfThereHadBeenADensePhaseInstead) {
  // Sparse for three steps, dense for three, sparse for three.
  const optim::AdamWOptions adam{.lr = 1e-2};
  const sparse::SparsitySchedule away_and_back(
      {.shape = sparse::ScheduleShape::kPiecewise, .points = {{0, 1}, {2, 1}, {3, 0}, {5, 0}, {6, 1}}});
  MlpStack phased = MakeStack(), swapped = MakeStack(), dense = MakeStack();
  optim::AdamW phased_adam(phased.Parameters(), adam), swapped_adam(swapped.Parameters(), adam);
  optim::AdamW dense_adam(dense.Parameters(), adam);
  SwapLinearWithSemiSparseLinear(phased, {.sparsity = {.plan = sparse::MaskPlan({.schedule = away_and_back})}});
  TrainSteps(phased, phased_adam, 0, 9);

  SwapLinearWithSemiSparseLinear(swapped);
  TrainSteps(swapped, swapped_adam, 0, 3);
  const auto before = Trained(swapped, swapped_adam);
  SwapSemiSparseLinearWithLinear(swapped);
  EXPECT_EQ(Trained(swapped, swapped_adam), before);
  TrainSteps(swapped, swapped_adam, 3, 6);
  SwapLinearWithSemiSparseLinear(swapped);
  TrainSteps(swapped, swapped_adam, 6, 9);
  EXPECT_EQ(Trained(swapped, swapped_adam), Trained(phased, phased_adam));
  EXPECT_EQ(swapped_adam.step_count(), 9);

  TrainSteps(dense, dense_adam, 0, 9);
  EXPECT_NE(Trained(swapped, swapped_adam), Trained(dense, dense_adam));
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
