#include "twofour/nn/one_shot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "twofour/core/error.h"
#include "twofour/core/ops.h"
#include "twofour/nn/mlp.h"
#include "twofour/sparse/mask_of_pattern.h"
#include "twofour/sparse/prune/output_error.h"
#include "twofour/sparse/prune/sparsegpt.h"
#include "twofour/sparse/scores/weight_scores.h"

#include "tests/sparse/patterns.h"
#include "tests/support/expect_error.h"
#include "tests/support/tensors.h"

namespace twofour::nn {
namespace {

using sparse::MaskScore;
using test::ExpectBitEqual;
using test::ExpectClose;
using test::PatternOf;
using test::RandomF32;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

/// An MLP of 12 features and 20 hidden units, and three batches of its inputs.
class OneShotTest : public ::testing::Test {
 protected:
  OneShotTest()
      : generator_(1), mlp_(MlpOptions{.in_features = 12, .hidden_features = 20, .out_features = 12}, generator_) {}

  static Tensor Batch(int64_t number) {
    return RandomF32({30, 12}, {.seed = 7, .stream = static_cast<uint32_t>(number)});
  }
  Calibration Data() {
    return {.batches = 3, .loss = [this](int64_t batch) {
              const Tensor y = mlp_.Forward(Batch(batch));
              return Mean(Mul(y, y));
            }};
  }
  Tensor Parameter(const std::string& name) {
    for (const NamedTensor& parameter : mlp_.NamedParameters()) {
      if (parameter.name == name) return parameter.tensor.Detach().Clone();
    }
    return {};
  }
  /// The inputs of c_proj over all batches, if c_fc has this weight.
  sparse::InputStatistics HiddenOf(const Tensor& c_fc) {
    sparse::InputStatistics statistics(20, sparse::InputStatistics::Extent::kGram);
    for (int64_t batch = 0; batch < 3; ++batch) {
      const NoGradGuard no_grad;
      const Tensor h = Relu(ops::Linear(Batch(batch), c_fc, Parameter("c_fc.bias")));
      statistics.Add(Mul(h, h), "h");
    }
    return statistics;
  }
  std::optional<OneShotReport> Prune(const OneShotOptions& options) { return PruneOnce(mlp_, options, Data()); }

  Generator generator_;
  Mlp mlp_;
};

TEST_F(OneShotTest, MasksByScoresOfTheDenseModelsInputs) {
  const Tensor c_fc = Parameter("c_fc.weight"), c_proj = Parameter("c_proj.weight");
  const sparse::InputStatistics hidden = HiddenOf(c_fc);
  const auto report = Prune({.score = MaskScore::kWanda, .pattern = PatternOf("2:4")});
  ASSERT_TRUE(report);
  ASSERT_THAT(report->pruned, SizeIs(2));
  const PrunedLinear& entry = report->pruned[1];
  EXPECT_EQ(entry.name, "c_proj");
  EXPECT_EQ(entry.samples, 90);
  EXPECT_EQ(entry.sparsity, 0.5);
  const sparse::Mask mask = sparse::FindMaskOf(sparse::WandaScores(c_proj, hidden), PatternOf("2:4"));
  EXPECT_EQ(entry.mask, mask);
  ExpectBitEqual(Parameter("c_proj.weight"), sparse::ApplyMask(c_proj, mask));
  EXPECT_NEAR(*entry.output_error, sparse::OutputError(c_proj, Parameter("c_proj.weight"), hidden.Gram()), 1e-5);
  EXPECT_EQ(entry.retained, sparse::RetainedL1(c_proj, mask));
}

TEST_F(OneShotTest, LayerByLayerUsesTheInputsThatPrunedLinearsGive) {
  const Tensor c_proj = Parameter("c_proj.weight");
  const OneShotOptions options{
      .method = PruningMethod::kSparseGpt, .pattern = PatternOf("2:4"), .order = PruningOrder::kLayerByLayer};
  const auto report = Prune(options);
  ASSERT_TRUE(report);
  const sparse::InputStatistics hidden = HiddenOf(Parameter("c_fc.weight"));  // It is pruned now.
  const sparse::PrunedWeight expected =
      sparse::SparseGpt(c_proj, hidden.Gram(), {.pattern = PatternOf("2:4")}, "c_proj");
  EXPECT_EQ(report->pruned[1].mask, expected.mask);
  ExpectClose(Parameter("c_proj.weight"), expected.weight, 1e-3, 1e-4);
  EXPECT_LT(*report->pruned[1].output_error, 0.6);
}

TEST_F(OneShotTest, EveryMethodAndScorePrunesToThePattern) {
  const OneShotOptions by_method[] = {{.method = PruningMethod::kSparseGpt},
                                      {.method = PruningMethod::kAlps},
                                      {.method = PruningMethod::kDsnot, .score = MaskScore::kWanda}};
  std::vector<OneShotOptions> all(std::begin(by_method), std::end(by_method));
  for (const MaskScore score : sparse::MaskScores()) all.push_back({.score = score});
  for (OneShotOptions options : all) {
    for (const PruningOrder order : {PruningOrder::kOnePass, PruningOrder::kLayerByLayer}) {
      SCOPED_TRACE(std::string(NameOf(options.method)) + " " + std::string(NameOf(options.score)));
      Generator generator(3);
      Mlp mlp({.in_features = 12, .hidden_features = 20, .out_features = 12}, generator);
      const Calibration data{.batches = 2, .loss = [&](int64_t batch) {
                               const Tensor y = mlp.Forward(Batch(batch));
                               return Mean(Mul(y, y));
                             }};
      options.pattern = PatternOf("1:4");
      options.order = order;
      const auto report = PruneOnce(mlp, options, data);
      ASSERT_TRUE(report);
      for (const PrunedLinear& entry : report->pruned) EXPECT_EQ(entry.sparsity, 0.75);
      for (const NamedTensor& parameter : mlp.NamedParameters()) {
        EXPECT_FALSE(parameter.tensor.grad().defined());
        EXPECT_TRUE(parameter.tensor.requires_grad());
      }
    }
  }
}

TEST_F(OneShotTest, OneBudgetForAllLinears) {
  const auto report = Prune({.pattern = PatternOf("unstructured:0.5:model"), .output_errors = false});
  ASSERT_TRUE(report);
  EXPECT_EQ(report->pruned[0].mask.CountKept() + report->pruned[1].mask.CountKept(), 240);
  EXPECT_NE(report->pruned[0].mask.CountKept(), 120);
  EXPECT_FALSE(report->pruned[0].output_error);
}

TEST_F(OneShotTest, LinearsMayHavePatternsOfTheirOwnOrStayDense) {
  const auto report = Prune({.exclude = "none", .pattern = PatternOf("2:4"), .patterns = {{"c_fc", PatternOf("1:4")}}});
  ASSERT_TRUE(report);
  EXPECT_EQ(report->pruned[0].sparsity, 0.75);
  EXPECT_EQ(report->pruned[1].sparsity, 0.5);
  const auto other = Prune({.exclude = "c_fc", .pattern = PatternOf("2:4")});
  ASSERT_THAT(other->pruned, SizeIs(1));
  ASSERT_THAT(other->kept_dense, SizeIs(1));
  EXPECT_THAT(other->kept_dense[0].reason, HasSubstr("exclude"));
  EXPECT_ERROR(Prune({.include = "nothing"}), ErrorKind::kInvalidInput,
               HasSubstr("none of the 2 linears is to be pruned: 2 linears: name does not match include"));
  EXPECT_ERROR(Prune({.patterns = {{"c_gate", PatternOf("1:4")}}}), ErrorKind::kInvalidInput,
               HasSubstr("patterns: 'c_gate' is no linear that is pruned"));
}

TEST_F(OneShotTest, SaysThatDataIsShort) {
  const OneShotOptions options{.method = PruningMethod::kSparseGpt, .pattern = PatternOf("2:4")};
  EXPECT_THAT(Prune(options)->notes, SizeIs(0));
  Calibration few = Data();
  few.loss = [this](int64_t) {
    const Tensor y = mlp_.Forward(RandomF32({5, 12}, {.seed = 2}));
    return Mean(Mul(y, y));
  };
  const auto report = PruneOnce(mlp_, options, few);
  EXPECT_THAT(report->notes, ElementsAre(HasSubstr("c_proj: 15 rows of inputs for 20 features"),
                                         HasSubstr("c_proj.weight: 4 of its 20 input features are always 0")));
  const auto by_obs = PruneOnce(mlp_, {.score = MaskScore::kObs, .pattern = PatternOf("2:4")}, few);
  EXPECT_THAT(by_obs->notes, Contains(HasSubstr("input features are always 0")));
  EXPECT_TRUE(NeedsCalibration(options));
  EXPECT_FALSE(NeedsCalibration({}));
  EXPECT_ERROR(PruneOnce(mlp_, options, {}), ErrorKind::kInvalidInput,
               HasSubstr("sparsegpt needs calibration data, expected at least one batch"));
  EXPECT_ERROR(PruneOnce(mlp_, {.score = MaskScore::kRia, .pattern = PatternOf("2:4")}, {}), ErrorKind::kInvalidInput,
               HasSubstr("ria needs calibration data"));
}

TEST_F(OneShotTest, WhateverEndsItLeavesTheWeightsAsTheyWere) {
  const Tensor c_fc = Parameter("c_fc.weight"), c_proj = Parameter("c_proj.weight");
  const auto expect_dense = [&] {
    ExpectBitEqual(Parameter("c_fc.weight"), c_fc);
    ExpectBitEqual(Parameter("c_proj.weight"), c_proj);
  };
  const OneShotOptions options{
      .method = PruningMethod::kSparseGpt, .pattern = PatternOf("2:4"), .order = PruningOrder::kLayerByLayer};
  bool stop = false;
  EXPECT_FALSE(PruneOnce(
      mlp_, options, Data(), [&] { return stop; }, [&](const PrunedLinear&) { stop = true; }));
  expect_dense();
  // An input that is not finite, and only for the second linear.
  for (NamedTensor& parameter : mlp_.NamedParameters()) {
    if (parameter.name == "c_fc.bias") parameter.tensor.mutable_data<float>()[3] = std::numeric_limits<float>::max();
  }
  EXPECT_ERROR(Prune(options), ErrorKind::kRuntimeFailure, HasSubstr("c_proj: feature 3 of its input 0 is inf"));
  expect_dense();
}

TEST_F(OneShotTest, LeavesNoGradientsWhereOneIsNotFinite) {
  const Calibration data{.batches = 1, .loss = [this](int64_t) {
                           const Tensor y = mlp_.Forward(Batch(0));
                           return Mean(Mul(y, y)) * std::numeric_limits<float>::infinity();
                         }};
  EXPECT_ERROR(PruneOnce(mlp_, {.score = MaskScore::kGradient, .pattern = PatternOf("2:4")}, data),
               ErrorKind::kRuntimeFailure, HasSubstr("c_fc.weight: element 0 of the gradient of sample 0 is "));
  for (const NamedTensor& parameter : mlp_.NamedParameters()) EXPECT_FALSE(parameter.tensor.grad().defined());
}

TEST_F(OneShotTest, RefusesWeightsWithoutGradients) {
  for (NamedTensor& parameter : mlp_.NamedParameters()) {
    if (parameter.name == "c_proj.weight") parameter.tensor.set_requires_grad(false);
  }
  EXPECT_ERROR(Prune({.score = MaskScore::kGradient, .pattern = PatternOf("2:4")}), ErrorKind::kInvalidInput,
               HasSubstr("c_proj.weight: no batch of the calibration data gives it a gradient"));
}

TEST_F(OneShotTest, KeepsLinearsWhoseSizesAreNoMultiples) {
  EXPECT_ERROR(Prune({.multiple_of = 8, .pattern = PatternOf("2:4")}), ErrorKind::kInvalidInput,
               HasSubstr("2 linears: its sizes are not both multiples of 8"));
  EXPECT_THAT(Prune({.multiple_of = 4, .pattern = PatternOf("2:4")})->pruned, SizeIs(2));
}

TEST_F(OneShotTest, RefusesDataWithoutALoss) {
  EXPECT_ERROR(PruneOnce(mlp_, {.pattern = PatternOf("2:4")}, {.batches = 3}), ErrorKind::kInvalidInput,
               HasSubstr("calibration has 3 batches and no loss"));
}

/// Calls its one linear twice, with other inputs, and has a second one that uses the same weight if it is to share it.
class Recurrent : public Module {
 public:
  explicit Recurrent(bool shares) {
    Generator generator(1);
    auto linear =
        std::make_unique<Linear>(LinearOptions{.in_features = 8, .out_features = 8, .bias = false}, generator);
    if (shares) twin_ = &RegisterModule("twin", std::make_unique<Linear>(linear->weight(), Tensor()));
    linear_ = &RegisterModule("linear", std::move(linear));
  }
  std::string_view type_name() const override { return "Recurrent"; }
  Tensor Forward(const Tensor& x) override {
    const Tensor y = (*linear_)->Forward((*linear_)->Forward(x));
    return twin_ == nullptr ? y : (*twin_)->Forward(y);
  }

 private:
  ModuleSlot *linear_ = nullptr, *twin_ = nullptr;
};

TEST(OneShotOfATreeTest, CountsEveryCallOfALinear) {
  for (const PruningOrder order : {PruningOrder::kOnePass, PruningOrder::kLayerByLayer}) {
    Recurrent model(false);
    const Calibration data{.batches = 3, .loss = [&](int64_t batch) {
                             const Tensor x = RandomF32({10, 8}, {.seed = 2});
                             return Mean(batch == 1 ? model.Forward(model.Forward(x)) : model.Forward(x));
                           }};
    const auto report = PruneOnce(
        model, {.score = MaskScore::kWanda, .pattern = PatternOf("2:4"), .order = order, .output_errors = false}, data);
    ASSERT_THAT(report->pruned, SizeIs(1));
    EXPECT_EQ(report->pruned[0].samples, 80);
  }
}

TEST(OneShotOfATreeTest, KeepsWeightsThatAreShared) {
  Recurrent model(true);
  EXPECT_ERROR(PruneOnce(model, {.pattern = PatternOf("2:4")}, {}), ErrorKind::kInvalidInput,
               HasSubstr("shares its weight with "));
}

TEST_F(OneShotTest, RefusesWhatDoesNotGoTogether) {
  const auto refuses = [&](const OneShotOptions& options, const std::string& message) {
    EXPECT_ERROR(Prune(options), ErrorKind::kInvalidInput, HasSubstr(message));
  };
  refuses({.pattern = PatternOf("unstructured:0.5:model"), .order = PruningOrder::kLayerByLayer},
          "order is layer-by-layer, expected one-pass for a pattern with a scope of the model");
  refuses({.method = PruningMethod::kSparseGpt, .pattern = PatternOf("unstructured:0.5:model")},
          "a scope within one weight");
  refuses({.method = PruningMethod::kDsnot, .score = MaskScore::kWanda, .pattern = PatternOf("transposable:2:4")},
          "DSnoT exchanges weights of one row");
  refuses({.pattern = PatternOf("2:4"), .patterns = {{"c_fc", PatternOf("unstructured:0.5:model")}}},
          "patterns[c_fc].pattern is unstructured:0.5:model, expected a scope within one weight");
  refuses({.method = PruningMethod::kDsnot,
           .score = MaskScore::kWanda,
           .pattern = PatternOf("2:4"),
           .patterns = {{"c_proj", PatternOf("64:2:8")}}},
          "patterns[c_proj].pattern is 64:2:8, expected n:m along rows");
  refuses({.dampening = 2000}, "dampening is 2000, expected");
  refuses({.multiple_of = 0}, "multiple_of is 0");
  refuses({.include = "("}, "include");
  refuses({.dampening = -1}, "dampening");
}

}  // namespace
}  // namespace twofour::nn
