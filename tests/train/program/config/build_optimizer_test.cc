#include "twofour/train/program/config/build_optimizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>

#include "twofour/nn/gpt.h"
#include "twofour/nn/linear.h"
#include "twofour/train/program/config/text_config.h"

#include "tests/support/expect_error.h"

namespace twofour::train {
namespace {

using ::testing::HasSubstr;

std::unique_ptr<nn::Gpt> MakeGpt() {
  Generator generator(1);
  return std::make_unique<nn::Gpt>(
      nn::GptOptions{
          .vocab_size = 8, .sequence_length = 4, .depth = 1, .width = 8, .heads = 2, .init = {.head_std = 1}},
      generator);
}

proto::Config ConfigWith(const std::string& optimizer) {
  return WithDefaults(ParseTextConfig("learning_rate { lr: 0.5 } optimizer { " + optimizer + " }", "c"));
}

/// The share that the first step with zero gradients takes from each parameter: lr * lr_scale * weight_decay.
std::map<std::string, double> DecayByName(const proto::Config& config) {
  auto gpt = MakeGpt();
  for (NamedTensor& named : gpt->NamedParameters()) {
    named.tensor.Fill(1);
    named.tensor.set_grad(Tensor::Zeros(named.tensor.shape()));
  }
  BuildOptimizer(config, *gpt)->Step();
  std::map<std::string, double> decay;
  for (const NamedTensor& named : gpt->NamedParameters()) {
    decay[named.name] = 1 - static_cast<double>(named.tensor.data<float>()[0]);
  }
  return decay;
}

TEST(BuildOptimizerTest, EachRoleHasItsRateAndDecay) {
  const auto decay = DecayByName(
      ConfigWith("adamw { weight_decay: 0.1 } embedding { lr_scale: 0.5 weight_decay: 0 } head { lr_scale: 0.25 }"));
  EXPECT_NEAR(decay.at("transformer.wte.weight"), 0, 1e-6);
  EXPECT_NEAR(decay.at("lm_head.weight"), 0.5 * 0.25 * 0.1, 1e-6);
  EXPECT_NEAR(decay.at("transformer.h.0.attn.c_q.weight"), 0.5 * 0.1, 1e-6);
  EXPECT_NEAR(decay.at("transformer.h.0.mlp.c_proj.weight"), 0.5 * 0.1, 1e-6);
}

TEST(BuildOptimizerTest, MuonTakesTheMatricesAndAdamWTheRest) {
  const proto::Config config =
      ConfigWith("muon { weight_decay: 0.2 adamw { weight_decay: 0.1 } } embedding { lr_scale: 3 }");
  const auto decay = DecayByName(config);
  EXPECT_NEAR(decay.at("transformer.wte.weight"), 0.5 * 3 * 0.1, 1e-6);
  EXPECT_NEAR(decay.at("lm_head.weight"), 0.5 * 0.1, 1e-6);
  EXPECT_NEAR(decay.at("transformer.h.0.attn.c_k.weight"), 0.5 * 0.2, 1e-6);

  auto gpt = MakeGpt();
  for (NamedTensor& named : gpt->NamedParameters()) named.tensor.set_grad(Tensor::Full(named.tensor.shape(), 1));
  auto optimizer = BuildOptimizer(config, *gpt);
  optimizer->Step();
  std::map<std::string, int> slots;
  for (const NamedTensor& named : optimizer->StateDict()) {
    const size_t dot = named.name.rfind('.');
    if (dot != std::string::npos) ++slots[named.name.substr(dot + 1)];
  }
  EXPECT_EQ(slots.at("momentum_buffer"), 6);
  EXPECT_EQ(slots.at("exp_avg"), 2);  // For the embedding and the head.
}

TEST(BuildOptimizerTest, VectorsAreNotDecayedUnlessAsked) {
  // A gpt has no vectors. A residual MLP has some: its norms and biases.
  for (const auto& [text, expected] : {std::pair("adamw { weight_decay: 0.1 }", 0.0),
                                       {"adamw { weight_decay: 0.1 } vectors { weight_decay: 0.4 }", 0.2}}) {
    Generator generator(1);
    nn::Linear linear({.in_features = 4, .out_features = 4}, generator);
    for (NamedTensor& named : linear.NamedParameters()) {
      named.tensor.Fill(1);
      named.tensor.set_grad(Tensor::Zeros(named.tensor.shape()));
    }
    BuildOptimizer(ConfigWith(text), linear)->Step();
    EXPECT_NEAR(1 - static_cast<double>(linear.bias().data<float>()[0]), expected, 1e-6);
    EXPECT_NEAR(1 - static_cast<double>(linear.weight().data<float>()[0]), 0.05, 1e-6);
  }
}

TEST(BuildOptimizerTest, SettingsThatApplyToNothingAreRefused) {
  auto gpt = MakeGpt();
  EXPECT_ERROR(BuildOptimizer(ConfigWith("adamw {} vectors { lr_scale: 2 }"), *gpt), ErrorKind::kInvalidInput,
               HasSubstr("optimizer.vectors"));
  Generator generator(1);
  nn::Linear linear({.in_features = 4, .out_features = 4}, generator);
  EXPECT_ERROR(BuildOptimizer(ConfigWith("adamw {} embedding { weight_decay: 0 }"), linear), ErrorKind::kInvalidInput,
               HasSubstr("optimizer.embedding"));
  EXPECT_NO_THROW(BuildOptimizer(ConfigWith("adamw {} embedding {}"), linear));
}

TEST(BuildOptimizerTest, FrozenParametersAreLeftOut) {
  for (const char* const optimizer : {"adamw {}", "sgd { momentum: 0.9 }", "muon {}"}) {
    SCOPED_TRACE(optimizer);
    const auto gpt = MakeGpt();
    for (NamedTensor& named : gpt->NamedParameters()) {
      named.tensor.set_grad(Tensor::Full(named.tensor.shape(), 1));
      named.tensor.set_requires_grad(named.name == "transformer.h.0.mlp.c_fc.weight");
    }
    // A role whose parameters are all frozen may have settings.
    const auto built = BuildOptimizer(ConfigWith(std::string(optimizer) + " head { lr_scale: 0.3 }"), *gpt);
    built->Step();
    for (const NamedTensor& named : built->StateDict()) {
      EXPECT_TRUE(named.tensor.numel() == 1 || named.name.find("c_fc.weight") != std::string::npos) << named.name;
    }
  }
}

}  // namespace
}  // namespace twofour::train
