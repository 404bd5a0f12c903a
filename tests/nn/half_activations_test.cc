// Modules with f32 parameters on activations of f16 and bf16.
#include "tests/support/half_activations.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "twofour/core/ops.h"
#include "twofour/nn/causal_self_attention.h"
#include "twofour/nn/conv_net.h"
#include "twofour/nn/forward_observer.h"
#include "twofour/nn/gpt.h"
#include "twofour/nn/gpt_block.h"
#include "twofour/nn/key_value_cache.h"
#include "twofour/nn/layers.h"
#include "twofour/nn/linear.h"
#include "twofour/nn/mlp.h"
#include "twofour/nn/mlp_stack.h"
#include "twofour/nn/residual_mlp.h"
#include "twofour/nn/semi_sparse_linear.h"
#include "twofour/nn/swap.h"
#include "twofour/optim/adamw.h"

#include "tests/support/case_tables.h"
#include "tests/support/scoped_env.h"
#include "tests/support/tensors.h"

namespace twofour::nn {
namespace {

using test::ExpectBitEqual;
using test::ExpectMultipliesAsInF32;
using test::ExpectRoundsWhatF32Gives;
using test::RandomF32;
using test::ScopedEnv;

using Tensors = std::vector<Tensor>;

TEST(HalfActivationsTest, LayersThatMultiplyDoItAsInF32) {
  const Tensor weight = RandomF32({16, 24}, {.seed = 1}), bias = RandomF32({16}, {.seed = 2});
  const std::unique_ptr<Module> layers[] = {
      std::make_unique<Linear>(weight.Clone(), bias.Clone()),
      std::make_unique<SemiSparseLinear>(weight.Clone(), bias.Clone()),
      std::make_unique<SemiSparseActivationLinear>(weight.Clone(), bias.Clone()),
  };
  for (const std::unique_ptr<Module>& layer : layers) {
    SCOPED_TRACE(std::string(layer->type_name()));
    for (const Shape& x : {Shape{24}, Shape{7, 24}, Shape{2, 33, 24}}) {
      ExpectMultipliesAsInF32([&](const Tensors& in) { return layer->Forward(in[0]); }, {x}, layer->Parameters(),
                              test::kOneBf16Product);
    }
  }
}

TEST(HalfActivationsTest, ANormRoundsWhatF32Gives) {
  RmsNorm rms_norm(24);
  LayerNorm layer_norm(24);
  for (Module* const norm : {static_cast<Module*>(&rms_norm), static_cast<Module*>(&layer_norm)}) {
    for (const Shape& x : {Shape{24}, Shape{7, 24}, Shape{2, 33, 24}}) {
      ExpectRoundsWhatF32Gives([&](const Tensors& in) { return norm->Forward(in[0]); }, {x}, norm->Parameters());
    }
  }
}

/// A module of several layers. `make` always makes the same one.
struct Model {
  std::string name;
  std::function<std::unique_ptr<Module>()> make;
  Shape x;
  double bf16_tolerance = 0x1p-5;
};
void PrintTo(const Model& model, std::ostream* out) { *out << model.name; }

std::unique_ptr<Module> MakeMlp(Activation activation) {
  Generator generator(1);
  return std::make_unique<Mlp>(
      MlpOptions{.in_features = 128, .hidden_features = 64, .out_features = 128, .activation = activation}, generator);
}

std::unique_ptr<Module> MakeSparseMlp(bool fused, SwapTarget target = SwapTarget::kWeight) {
  std::unique_ptr<Module> mlp = MakeMlp(Activation::kReluSquared);
  SwapLinearWithSemiSparseLinear(*mlp, {.target = target, .sparsity = {.fused_mlp = fused}});
  return mlp;
}

class ModelTest : public ::testing::TestWithParam<Model> {};

double Norm(const Tensor& tensor) {
  double squares = 0;
  for (const float x : tensor.ToVector()) squares += static_cast<double>(x) * static_cast<double>(x);
  return std::sqrt(squares);
}

/// The norm of the difference, divided by the norm of `expected`.
double RelativeError(const Tensor& actual, const Tensor& expected) {
  return Norm(Add(actual.To(DType::kF32), Scale(expected.To(DType::kF32), -1))) / Norm(expected);
}

TEST_P(ModelTest, ForwardAndBackwardAreNearThoseInF32) {
  const ScopedEnv env("TWOFOUR_KERNEL", std::nullopt);
  const std::unique_ptr<Module> model = GetParam().make();
  for (const DType dtype : {DType::kF16, DType::kBF16}) {
    SCOPED_TRACE(std::string(NameOf(dtype)));
    const double tolerance = dtype == DType::kF16 ? 0x1p-8 : GetParam().bf16_tolerance;
    const auto run = [&](DType activations, std::vector<Tensor>& results) {
      for (Tensor& parameter : model->Parameters()) parameter.ZeroGrad();
      Tensor x = RandomF32(GetParam().x, {.seed = 3}).To(dtype).To(activations).Clone();
      x.set_requires_grad();
      const Tensor y = model->Forward(x);
      ASSERT_EQ(y.dtype(), activations);
      y.Backward(RandomF32(y.shape(), {.seed = 4}).To(dtype).To(activations));
      ASSERT_EQ(x.grad().dtype(), activations);
      results = {y.Detach(), x.grad()};
      for (const Tensor& parameter : model->Parameters()) {
        ASSERT_EQ(parameter.grad().dtype(), DType::kF32);
        results.push_back(parameter.grad());
      }
    };
    std::vector<Tensor> narrow, wide;
    run(dtype, narrow);
    run(DType::kF32, wide);
    ASSERT_EQ(narrow.size(), wide.size());
    for (size_t i = 0; i < narrow.size(); ++i) EXPECT_LT(RelativeError(narrow[i], wide[i]), tolerance) << i;
  }
}

TEST_P(ModelTest, Learns) {
  const ScopedEnv env("TWOFOUR_KERNEL", std::nullopt);
  const std::unique_ptr<Module> model = GetParam().make();
  optim::AdamW adamw(model->Parameters(), {.lr = 3e-3});
  const Tensor x = RandomF32(GetParam().x, {.seed = 5}).To(DType::kBF16);
  Tensor target;
  double first = 0, last = 0;
  for (int step = 0; step < 30; ++step) {
    const Tensor y = Cast(model->Forward(x), DType::kF32);
    if (step == 0) target = RandomF32(y.shape(), {.seed = 6});
    const Tensor loss = MseLoss(y, target);
    adamw.ZeroGrad();
    loss.Backward();
    adamw.Step();
    last = loss.item();
    if (step == 0) first = last;
  }
  EXPECT_LT(last, 0.8 * first);
}

INSTANTIATE_TEST_SUITE_P(
    All, ModelTest,
    ::testing::Values(
        Model{"Mlp", [] { return MakeMlp(Activation::kReluSquared); }, {40, 128}},
        Model{"GeluMlp", [] { return MakeMlp(Activation::kGelu); }, {2, 5, 128}},
        Model{"SwiGluMlp", [] { return MakeMlp(Activation::kSwiGlu); }, {9, 128}},
        Model{"FusedSparseMlp", [] { return MakeSparseMlp(true); }, {200, 128}},
        Model{"SparseMlp", [] { return MakeSparseMlp(false); }, {200, 128}},
        // Where two activations are almost equal, rounding may change which of them is kept.
        Model{"ActivationSparseMlp", [] { return MakeSparseMlp(false, SwapTarget::kActivation); }, {20, 128}, 0x1p-3},
        Model{"MlpStack",
              []() -> std::unique_ptr<Module> {
                Generator generator(2);
                return std::make_unique<MlpStack>(MlpStackOptions{.in_features = 24,
                                                                  .hidden_features = {32, 32},
                                                                  .out_features = 8,
                                                                  .activation = Activation::kGelu},
                                                  generator);
              },
              {30, 24}},
        Model{"ResidualMlp",
              []() -> std::unique_ptr<Module> {
                Generator generator(3);
                return std::make_unique<ResidualMlp>(ResidualMlpOptions{.in_features = 24,
                                                                        .width = 32,
                                                                        .num_blocks = 2,
                                                                        .out_features = 8,
                                                                        .zero_init_projection = false},
                                                     generator);
              },
              {30, 24}},
        Model{"ConvNet",
              []() -> std::unique_ptr<Module> {
                Generator generator(5);
                return std::make_unique<ConvNet>(
                    ConvNetOptions{.image = {6, 6, 3},
                                   .convolutions = {{.out_channels = 8}, {.out_channels = 16, .stride = 2}},
                                   .hidden_features = {32},
                                   .out_features = 8,
                                   .activation = Activation::kGelu},
                    generator);
              },
              {30, 108}},
        Model{"GptBlock",
              []() -> std::unique_ptr<Module> {
                Generator generator(4);
                return std::make_unique<GptBlock>(
                    GptBlockOptions{.attention = {.width = 32, .heads = 4, .kv_heads = 2},
                                    .mlp = {.in_features = 32, .hidden_features = 64, .out_features = 32}},
                    generator);
              },
              {2, 9, 32}}),
    test::ByName());

TEST(HalfActivationsTest, TheFusedMlpRunsAsOneOp) {
  const ScopedEnv env("TWOFOUR_KERNEL", std::nullopt);
  const std::unique_ptr<Module> mlp = MakeSparseMlp(true);
  ASSERT_NE(dynamic_cast<Mlp&>(*mlp).FusedKernel(200), nullptr);
  ExpectMultipliesAsInF32([&](const Tensors& in) { return mlp->Forward(in[0]); }, {{200, 128}}, mlp->Parameters(),
                          test::kBf16Mlp);
}

TEST(HalfActivationsTest, DropoutZeroesTheSameElements) {
  Generator generator(1);
  Dropout dropout(0.5, generator);
  dropout.SetStep(3);
  const Tensor x = RandomF32({50}, {.seed = 1}).To(DType::kBF16);
  const Tensor narrow = dropout.Forward(x);
  dropout.SetStep(3);
  ExpectBitEqual(narrow, dropout.Forward(x.To(DType::kF32)).To(DType::kBF16));
}

TEST(HalfActivationsTest, AttentionKeepsAnF32Cache) {
  Generator generator(1);
  CausalSelfAttention attention({.width = 16, .heads = 2}, generator);
  const Tensor x = RandomF32({1, 5, 16}, {.seed = 1}).To(DType::kBF16);
  KeyValueCache cache{.layers = {{Tensor::Zeros({1, 5, 2, 8}), Tensor::Zeros({1, 5, 2, 8})}}, .capacity = 5};
  const Tensor cached = attention.Forward(x, cache, 0);
  EXPECT_EQ(cached.dtype(), DType::kBF16);
  EXPECT_LT(RelativeError(cached, attention.Forward(x)), 0x1p-7);
}

/// An embedding whose rows are bf16.
class NarrowEmbedding : public Module {
 public:
  explicit NarrowEmbedding(Tensor weight) : weight_(RegisterParameter("weight", std::move(weight))) {}
  std::string_view type_name() const override { return "NarrowEmbedding"; }
  Tensor Forward(const Tensor& x) override { return Cast(ops::Embedding(x, weight_), DType::kBF16); }

 private:
  Tensor weight_;
};

TEST(HalfActivationsTest, AGptsLossIsF32) {
  Generator generator(1);
  Gpt gpt({.vocab_size = 16, .sequence_length = 4, .depth = 1, .width = 16, .heads = 2}, generator);
  gpt.VisitSlots([](const std::string& name, ModuleSlot& slot) {
    if (name == "transformer.wte") slot.Replace(std::make_unique<NarrowEmbedding>(slot->Parameters()[0]));
  });
  const Tensor tokens = Tensor::FromVector(std::vector<int32_t>{1, 5, 3, 0, 2, 2, 7, 1}, {2, 4});
  ASSERT_EQ(gpt.Forward(tokens).dtype(), DType::kBF16);
  const Tensor loss = gpt.Loss(tokens, tokens);
  EXPECT_EQ(loss.dtype(), DType::kF32);
  EXPECT_NEAR(loss.item(), std::log(16), 0.1);
  loss.Backward();
  for (const NamedTensor& parameter : gpt.NamedParameters()) EXPECT_TRUE(parameter.tensor.grad().defined());
  // The same with a head that was swapped, whose logits are rounded to bf16.
  SwapLinearWithSemiSparseLinear(gpt, {.include = "lm_head"});
  EXPECT_NEAR(gpt.Loss(tokens, tokens).item(), loss.item(), 0.02);
}

TEST(HalfActivationsTest, ObserversGetF32) {
  struct Recorder : public ForwardObserver {
    void OnLinear(const Module&, const LinearInput& input) override {
      values.push_back(input.Values());
      densities.push_back(input.Density());
    }
    std::vector<Tensor> values;
    std::vector<double> densities;
  };
  const Tensor x = test::F32({1, 0, -2, 0.5f}, {1, 4}).To(DType::kBF16);
  Linear linear(RandomF32({4, 4}, {.seed = 1}), Tensor());
  Recorder recorder;
  {
    const ForwardObserverScope observing(recorder);
    linear.Forward(x);
  }
  ASSERT_EQ(recorder.values.size(), 1u);
  ExpectBitEqual(recorder.values[0], x.To(DType::kF32));
  EXPECT_EQ(recorder.densities[0], 0.75);
}

}  // namespace
}  // namespace twofour::nn
