#include "twofour/nn/lora_swap.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/ops.h"
#include "twofour/nn/mlp.h"
#include "twofour/nn/residual_mlp.h"
#include "twofour/nn/swap.h"

#include "tests/support/scoped_env.h"
#include "tests/support/tensors.h"

namespace twofour::nn {
namespace {

using test::ExpectBitEqual;
using test::RandomF32;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

/// Two blocks, of which one is pruned, between dense linears.
std::unique_ptr<ResidualMlp> MakeModel(const std::string& pruned = R"(blocks\.[01]\.mlp\..*)") {
  Generator generator(1);
  auto model = std::make_unique<ResidualMlp>(
      ResidualMlpOptions{.in_features = 12, .width = 16, .hidden_features = 32, .num_blocks = 2, .out_features = 4},
      generator);
  SwapLinearWithSemiSparseLinear(*model, {.include = pruned, .multiple_of = 4});
  return model;
}

std::vector<std::string> Names(const std::vector<SwapEntry>& entries) {
  std::vector<std::string> names;
  for (const SwapEntry& entry : entries) names.push_back(entry.name);
  return names;
}

TEST(LoraSwapTest, AdaptsMatchingPrunedLinearsAndFreezesTheRest) {
  const auto model = MakeModel();
  const Tensor x = RandomF32({5, 12}, {.seed = 2}), before = MakeModel()->Forward(x);
  const SwapReport report =
      SwapSemiSparseLinearWithLoraLinear(*model, {.exclude = R"(blocks\.1\.mlp\.c_proj)", .lora = {.rank = 2}});
  EXPECT_THAT(Names(report.converted), ElementsAre("blocks.0.mlp.c_fc", "blocks.0.mlp.c_proj", "blocks.1.mlp.c_fc"));
  EXPECT_THAT(Names(report.kept_dense), ElementsAre("input", "blocks.1.mlp.c_proj", "head"));
  EXPECT_EQ(report.kept_dense[0].reason, "is not pruned");
  EXPECT_EQ(report.kept_dense[1].reason, R"(name matches exclude 'blocks\.1\.mlp\.c_proj')");
  std::vector<std::string> trained;
  for (const NamedTensor& named : model->NamedParameters()) {
    if (named.tensor.requires_grad()) trained.push_back(named.name);
  }
  EXPECT_THAT(trained, ElementsAre("blocks.0.mlp.c_fc.lora_A.weight", "blocks.0.mlp.c_fc.lora_B.weight",
                                   "blocks.0.mlp.c_proj.lora_A.weight", "blocks.0.mlp.c_proj.lora_B.weight",
                                   "blocks.1.mlp.c_fc.lora_A.weight", "blocks.1.mlp.c_fc.lora_B.weight"));
  ExpectBitEqual(model->Forward(x), before);
  const std::vector<NamedLoraLinear> layers = FindLoraLinears(*model);
  ASSERT_EQ(layers.size(), 3u);
  EXPECT_EQ(layers[2].name, "blocks.1.mlp.c_fc");
  EXPECT_EQ(FindSemiSparseLinears(*model).size(), 4u);
}

TEST(LoraSwapTest, EachLayerDrawsItsOwnFactor) {
  const auto model = MakeModel();
  SwapSemiSparseLinearWithLoraLinear(*model, {.lora = {.rank = 2}, .key = {.seed = 4}});
  const auto layers = FindLoraLinears(*model);
  ASSERT_EQ(layers.size(), 4u);
  EXPECT_NE(layers[0].layer->lora_a().ToVector(), layers[2].layer->lora_a().ToVector());
}

// The op of a whole MLP gives the factors the gradients that they get linear by linear.
TEST(LoraSwapTest, AnMlpAsOneOpTrainsAdapters) {
  const test::ScopedEnv env("TWOFOUR_KERNEL", std::nullopt);
  const auto make = [](bool fused) {
    Generator generator(4);
    auto mlp =
        std::make_unique<Mlp>(MlpOptions{.in_features = 128, .hidden_features = 64, .out_features = 132}, generator);
    SwapLinearWithSemiSparseLinear(*mlp, {.multiple_of = 4, .sparsity = {.fused_mlp = fused}});
    SwapSemiSparseLinearWithLoraLinear(*mlp, {.lora = {.rank = 4}});
    for (const auto& [name, layer] : FindLoraLinears(*mlp)) {
      Tensor b = layer->lora_b();
      FillUniform(b, -0.1, 0.1, {.seed = 7});
    }
    return mlp;
  };
  const auto fused = make(true), composed = make(false);
  ASSERT_NE(fused->FusedKernel(200), nullptr);
  const Tensor x = RandomF32({200, 128}, {.seed = 5}), dy = RandomF32({200, 132}, {.seed = 6});
  for (const auto* const mlp : {&fused, &composed}) Sum(Mul((*mlp)->Forward(x), dy)).Backward();
  const auto expected = FindLoraLinears(*composed), actual = FindLoraLinears(*fused);
  for (size_t i = 0; i < expected.size(); ++i) {
    SCOPED_TRACE(expected[i].name);
    test::ExpectClose(actual[i].layer->lora_a().grad(), expected[i].layer->lora_a().grad(), 1e-4, 1e-4);
    test::ExpectClose(actual[i].layer->lora_b().grad(), expected[i].layer->lora_b().grad(), 1e-4, 1e-4);
  }
}

TEST(LoraSwapTest, LinearsTakeTheAdaptersOver) {
  const Tensor x = RandomF32({5, 12}, {.seed = 2});
  for (const bool apply_mask : {true, false}) {
    SCOPED_TRACE(apply_mask);
    const auto model = MakeModel();
    SwapSemiSparseLinearWithLoraLinear(*model, {.lora = {.rank = 2}});
    for (const auto& [name, layer] : FindLoraLinears(*model)) {
      Tensor b = layer->lora_b();
      FillUniform(b, -0.1, 0.1, {.seed = 7});
    }
    const LoraLinear& layer = *FindLoraLinears(*model).front().layer;
    const Tensor sum = sparse::AddLowRank(layer.weight(), {layer.lora_a(), layer.lora_b(), layer.scale()}).Detach();
    const Tensor before = model->Forward(x), weight = layer.weight();
    SwapSemiSparseLinearWithLinear(*model, apply_mask);
    EXPECT_TRUE(FindLoraLinears(*model).empty());
    if (apply_mask) test::ExpectClose(model->Forward(x), before);
    if (!apply_mask) ExpectBitEqual(weight, sum);
  }
}

TEST(LoraSwapTest, WhatDoesNotFitChangesNothing) {
  const auto model = MakeModel();
  EXPECT_THAT([&] { SwapSemiSparseLinearWithLoraLinear(*model, {.lora = {.rank = 17}}); },
              ThrowsMessage<Error>("rank: 17, expected at most 16, the smaller side of blocks.0.mlp.c_fc [32, 16]"));
  EXPECT_THAT([&] { SwapSemiSparseLinearWithLoraLinear(*model, {.include = "("}); },
              ThrowsMessage<Error>(HasSubstr("include")));
  EXPECT_TRUE(FindLoraLinears(*model).empty());
  for (const Tensor& parameter : model->Parameters()) EXPECT_TRUE(parameter.requires_grad());
}

}  // namespace
}  // namespace twofour::nn
