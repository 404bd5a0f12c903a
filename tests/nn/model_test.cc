// Models whose activations are bf16.
#include "twofour/nn/model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "twofour/core/autograd.h"
#include "twofour/core/error.h"
#include "twofour/core/ops/arithmetic.h"
#include "twofour/core/ops/loss.h"
#include "twofour/nn/forward_observer.h"
#include "twofour/nn/generate.h"
#include "twofour/nn/gpt.h"
#include "twofour/nn/mlp_stack.h"
#include "twofour/nn/residual_mlp.h"
#include "twofour/nn/state_dict.h"
#include "twofour/nn/swap.h"
#include "twofour/optim/adamw.h"

#include "tests/support/case_tables.h"
#include "tests/support/expect_error.h"
#include "tests/support/scoped_env.h"
#include "tests/support/tensors.h"

namespace twofour::nn {
namespace {

using test::ExpectBitEqual;
using test::RandomF32;
using test::RandomIndices;
using test::ScopedEnv;
using test::ScopedNumThreads;
using ::testing::HasSubstr;

constexpr DType kBF16 = DType::kBF16, kF32 = DType::kF32;
constexpr uint32_t kClasses = 48;

/// A model that can be made again and again, an input of it, and the classes or tokens that are right.
struct ModelCase {
  std::string name;
  std::function<std::unique_ptr<Model>()> make;
  Tensor input, targets;
};
void PrintTo(const ModelCase& model, std::ostream* out) { *out << model.name; }

std::unique_ptr<Model> MakeStack() {
  Generator generator(1);
  return std::make_unique<MlpStack>(
      MlpStackOptions{.in_features = 64, .hidden_features = {128, 128}, .out_features = kClasses, .dropout = 0.1},
      generator);
}

std::unique_ptr<Model> MakeResidual() {
  Generator generator(2);
  return std::make_unique<ResidualMlp>(
      ResidualMlpOptions{
          .in_features = 64, .width = 128, .num_blocks = 2, .out_features = kClasses, .zero_init_projection = false},
      generator);
}

std::unique_ptr<Gpt> MakeGpt(double soft_cap = 15) {
  Generator generator(3);
  return std::make_unique<Gpt>(GptOptions{.vocab_size = kClasses,
                                          .sequence_length = 64,
                                          .depth = 2,
                                          .width = 128,
                                          .soft_cap = soft_cap,
                                          .init = {.head_std = 0.1, .projection_std = 0.1}},
                               generator);
}

template <typename M>
std::unique_ptr<M> Sparse(std::unique_ptr<M> model, const std::string& include) {
  SwapLinearWithSemiSparseLinear(*model, {.include = include});
  return model;
}

Tensor Loss(Model& model, const Tensor& input, const Tensor& targets) {
  if (auto* const gpt = dynamic_cast<Gpt*>(&model)) return gpt->Loss(input, targets);
  return CrossEntropyLoss(model.Forward(input), targets);
}

double Norm(const Tensor& tensor) {
  double squares = 0;
  for (const float x : tensor.ToVector()) squares += static_cast<double>(x) * static_cast<double>(x);
  return std::sqrt(squares);
}

/// The norm of the difference, divided by the norm of `expected`.
double RelativeError(const Tensor& actual, const Tensor& expected) {
  return Norm(Add(actual.Detach(), Scale(expected.Detach(), -1))) / Norm(expected);
}

bool HoldsOnlyBf16(const Tensor& f32) { return f32.ToVector() == f32.To(kBF16).To(kF32).ToVector(); }

class PrecisionTest : public ::testing::TestWithParam<ModelCase> {
 protected:
  std::unique_ptr<Model> Make(DType activations) const {
    std::unique_ptr<Model> model = GetParam().make();
    model->SetActivationDType(activations);
    return model;
  }

  const ScopedEnv no_kernel_{"TWOFOUR_KERNEL", std::nullopt};
};

/// The gradients of a loss by all parameters, and the loss.
std::vector<Tensor> GradientsOf(Model& model, const ModelCase& at) {
  for (Tensor& parameter : model.Parameters()) parameter.ZeroGrad();
  model.SetStep(5);
  Tensor loss = Loss(model, at.input, at.targets);
  EXPECT_EQ(loss.dtype(), kF32);
  loss.Backward();
  std::vector<Tensor> results = {loss.Detach()};
  for (const Tensor& parameter : model.Parameters()) {
    EXPECT_EQ(parameter.grad().dtype(), kF32);
    results.push_back(parameter.grad().Clone());
  }
  return results;
}

TEST_P(PrecisionTest, LogitsAreF32AndNearThoseOfF32) {
  const auto narrow = Make(kBF16), wide = Make(kF32);
  narrow->SetTraining(false);
  wide->SetTraining(false);
  const Tensor logits = narrow->Forward(GetParam().input), expected = wide->Forward(GetParam().input);
  ASSERT_EQ(logits.dtype(), kF32);
  EXPECT_LT(RelativeError(logits, expected), 0x1p-5);
  EXPECT_GT(RelativeError(logits, expected), 0x1p-13) << "nothing was rounded";
}

TEST_P(PrecisionTest, GradientsAreF32AndNearThoseOfF32) {
  const std::vector<Tensor> narrow = GradientsOf(*Make(kBF16), GetParam()), wide = GradientsOf(*Make(kF32), GetParam());
  ASSERT_EQ(narrow.size(), wide.size());
  for (size_t i = 0; i < wide.size(); ++i) EXPECT_LT(RelativeError(narrow[i], wide[i]), 0x1p-4) << i;
}

TEST_P(PrecisionTest, EveryLinearGetsBf16) {
  struct Recorder : public ForwardObserver {
    void OnLinear(const Module&, const LinearInput& input) override { inputs.push_back(input.Values()); }
    std::vector<Tensor> inputs;
  };
  for (const DType activations : {kBF16, kF32}) {
    const auto model = Make(activations);
    Recorder recorder;
    const ForwardObserverScope observing(recorder);
    Loss(*model, GetParam().input, GetParam().targets);
    ASSERT_GE(recorder.inputs.size(), 3u);
    for (size_t i = 0; i < recorder.inputs.size(); ++i) {
      EXPECT_EQ(HoldsOnlyBf16(recorder.inputs[i]), activations == kBF16) << "linear " << i;
    }
  }
}

TEST_P(PrecisionTest, ThreadsDoNotMatter) {
  const auto model = Make(kBF16);
  std::vector<Tensor> alone;
  {
    const ScopedNumThreads one(1);
    alone = GradientsOf(*model, GetParam());
  }
  for (const int threads : {2, 3}) {
    const ScopedNumThreads several(threads);
    const std::vector<Tensor> together = GradientsOf(*model, GetParam());
    for (size_t i = 0; i < alone.size(); ++i) ExpectBitEqual(together[i], alone[i]);
  }
}

TEST_P(PrecisionTest, AStateDictDoesNotDependOnIt) {
  const auto narrow = Make(kBF16), wide = Make(kF32);
  Loss(*narrow, GetParam().input, GetParam().targets);
  Loss(*wide, GetParam().input, GetParam().targets);
  const std::vector<NamedTensor> state = StateDict(*narrow), expected = StateDict(*wide);
  ASSERT_EQ(state.size(), expected.size());
  for (size_t i = 0; i < state.size(); ++i) {
    EXPECT_EQ(state[i].name, expected[i].name);
    ExpectBitEqual(state[i].tensor, expected[i].tensor);
  }
  LoadStateDict(*wide, state, "the state of the bf16 model");
}

TEST_P(PrecisionTest, ATrainedModelCanBeEvaluatedInF32) {
  const auto model = Make(kBF16);
  optim::AdamW adamw(model->Parameters(), {.lr = 1e-3});
  GradientsOf(*model, GetParam());
  adamw.Step();
  model->SetTraining(false);
  model->SetActivationDType(kF32);
  const auto other = Make(kF32);
  LoadStateDict(*other, StateDict(*model), "state");
  other->SetTraining(false);
  ExpectBitEqual(model->Forward(GetParam().input), other->Forward(GetParam().input));
}

TEST_P(PrecisionTest, LearnsAsInF32) {
  const auto train = [this](DType activations) {
    const auto model = Make(activations);
    optim::AdamW adamw(model->Parameters(), {.lr = 2e-3});
    double first = 0;
    for (int step = 0; step < 30; ++step) {
      const double loss = GradientsOf(*model, GetParam())[0].item();
      if (step == 0) first = loss;
      adamw.Step();
    }
    model->SetTraining(false);
    return Loss(*model, GetParam().input, GetParam().targets).item() / first;
  };
  const double narrow = train(kBF16), wide = train(kF32);
  EXPECT_LT(narrow, 0.8);
  EXPECT_NEAR(narrow, wide, 0.02);
}

ModelCase Samples(const std::string& name, std::function<std::unique_ptr<Model>()> make) {
  return {name, std::move(make), RandomF32({200, 64}, {.seed = 4}), RandomIndices({200}, kClasses, {.seed = 5})};
}
ModelCase Tokens(const std::string& name, std::function<std::unique_ptr<Model>()> make) {
  return {name, std::move(make), RandomIndices({4, 64}, kClasses, {.seed = 6}),
          RandomIndices({4, 64}, kClasses, {.seed = 7})};
}

INSTANTIATE_TEST_SUITE_P(All, PrecisionTest,
                         ::testing::Values(Samples("MlpStack", MakeStack),
                                           Samples("SparseMlpStack", [] { return Sparse(MakeStack(), ".*"); }),
                                           Samples("ResidualMlp", MakeResidual),
                                           Samples("SparseResidualMlp",
                                                   [] { return Sparse(MakeResidual(), ".*mlp.*"); }),
                                           Tokens("Gpt", [] { return MakeGpt(); }),
                                           Tokens("SparseGpt", [] { return Sparse(MakeGpt(), ".*mlp.*"); }),
                                           Tokens("SparseHeadGpt", [] { return Sparse(MakeGpt(0), "lm_head"); })),
                         test::ByName());

TEST(ModelPrecisionTest, LogitsOfALinearAreNotRounded) {
  for (const auto& model : {MakeStack(), MakeResidual()}) {
    model->SetActivationDType(kBF16);
    EXPECT_FALSE(HoldsOnlyBf16(model->Forward(RandomF32({30, 64}, {.seed = 4})))) << model->type_name();
  }
  const auto gpt = MakeGpt(/*soft_cap=*/0);
  gpt->SetActivationDType(kBF16);
  EXPECT_FALSE(HoldsOnlyBf16(gpt->Forward(RandomIndices({1, 30}, kClasses, {.seed = 4}))));
}

TEST(ModelPrecisionTest, OtherDTypesAreRefused) {
  const auto stack = MakeStack();
  stack->SetActivationDType(kBF16);
  for (const DType dtype : {DType::kF16, DType::kF64, DType::kI32, DType::kBool}) {
    EXPECT_ERROR(stack->SetActivationDType(dtype), ErrorKind::kInvalidInput,
                 HasSubstr("MlpStack: activations of " + std::string(NameOf(dtype)) + ", expected f32 or bf16"));
  }
  EXPECT_EQ(stack->activation_dtype(), kBF16);
  EXPECT_ERROR(MakeGpt()->SetActivationDType(DType::kF64), ErrorKind::kInvalidInput, HasSubstr("Gpt: "));
}

TEST(ModelPrecisionTest, AnInputThatF32RefusesIsNotRounded) {
  const auto stack = MakeStack();
  stack->SetActivationDType(kBF16);
  EXPECT_ERROR(stack->Forward(Tensor::Zeros({2, 64}, DType::kI32)), ErrorKind::kInvalidInput,
               HasSubstr("Linear: x has dtype i32"));
  EXPECT_ERROR(stack->Forward(Tensor::Zeros({2, 64}, DType::kF64)), ErrorKind::kInvalidInput,
               HasSubstr("Linear: x f64 [2, 64]"));
  EXPECT_ERROR(stack->Forward(Tensor()), ErrorKind::kInvalidInput, HasSubstr("Linear: x is undefined"));
}

TEST(ModelPrecisionTest, ALossInBf16IsThatOfItsLogits) {
  const auto gpt = MakeGpt();
  gpt->SetActivationDType(kBF16);
  const Tensor tokens = RandomIndices({3, 40}, kClasses, {.seed = 4}), targets = RandomIndices({3, 40}, kClasses, {5});
  const Tensor logits = gpt->Forward(tokens).View({120, kClasses});
  EXPECT_NEAR(gpt->Loss(tokens, targets).item(), CrossEntropyLoss(logits, targets.View({120})).item(), 1e-3);
}

/// The logits after the last of `tokens` [1, T], read `portion` tokens at a time with room for `capacity`.
Tensor Decoded(Gpt& gpt, const Tensor& tokens, int64_t portion, int64_t capacity) {
  KeyValueCache cache = gpt.MakeCache(1, capacity);
  Tensor logits;
  for (int64_t at = 0; at < tokens.dim(1); at += portion) {
    const std::vector<int32_t> part(tokens.data<int32_t>() + at, tokens.data<int32_t>() + at + portion);
    logits = gpt.Decode(test::I32(part, {1, portion}), cache);
    EXPECT_EQ(logits.dtype(), kF32);
  }
  return logits;
}

TEST(ModelPrecisionTest, DecodesInBf16AsItComputes) {
  const auto gpt = Sparse(MakeGpt(), ".*mlp.*");
  gpt->SetActivationDType(kBF16);
  EXPECT_EQ(gpt->MakeCache(1, 4).layers[0].keys.dtype(), kBF16);
  EXPECT_EQ(gpt->MakeCache(1, 4).layers[1].values.dtype(), kBF16);
  const Tensor tokens = RandomIndices({1, 96}, kClasses, {.seed = 4});  // More than it sees.
  const NoGradGuard no_grad;
  const Tensor all = gpt->Forward(tokens);
  const std::vector<float> values = all.ToVector();
  const Tensor last = test::F32({values.end() - kClasses, values.end()}, {1, kClasses});
  EXPECT_LT(RelativeError(Decoded(*gpt, tokens, 96, 96), last), 0x1p-5);
  EXPECT_LT(RelativeError(Decoded(*gpt, tokens, 1, 96), last), 0x1p-5);
  // The smallest cache for four tokens at a time: its rows move up again and again, which changes no bit.
  ExpectBitEqual(Decoded(*gpt, tokens, 4, 67), Decoded(*gpt, tokens, 4, 96));
}

TEST(ModelPrecisionTest, ACacheOfBf16IsNotForF32) {
  const auto gpt = MakeGpt();
  const Tensor token = Tensor::Zeros({1, 1}, DType::kI32);
  KeyValueCache wide = gpt->MakeCache(1, 4);
  gpt->SetActivationDType(kBF16);
  KeyValueCache narrow = gpt->MakeCache(1, 4);
  EXPECT_EQ(gpt->Decode(token, wide).dtype(), kF32) << "attention computes in f32 then";
  gpt->SetActivationDType(kF32);
  EXPECT_ERROR(gpt->Decode(token, narrow), ErrorKind::kInvalidInput,
               HasSubstr("CausalSelfAttention: the cache's keys has dtype bf16, expected f32"));
  gpt->SetActivationDType(kBF16);
  narrow.layers[0].values = narrow.layers[0].values.To(kF32);
  EXPECT_ERROR(gpt->Decode(token, narrow), ErrorKind::kInvalidInput,
               HasSubstr("CausalSelfAttention: the cache's values has dtype f32, expected bf16"));
}

TEST(ModelPrecisionTest, GeneratesInBf16WithAnyNumberOfThreads) {
  const auto gpt = Sparse(MakeGpt(), ".*mlp.*");
  const std::vector<int32_t> prompt{1, 2, 3};
  const GenerateOptions options{.tokens = 40, .seed = 2};
  const std::vector<int32_t> wide = Generate(*gpt, prompt, options);
  gpt->SetActivationDType(kBF16);
  std::vector<int32_t> drawn;
  for (const int threads : {1, 2, 3}) {
    const ScopedNumThreads several(threads);
    const std::vector<int32_t> again = Generate(*gpt, prompt, options);
    if (threads == 1) drawn = again;
    EXPECT_EQ(again, drawn) << threads;
  }
  EXPECT_EQ(drawn[0], wide[0]) << "the first token's logits differ by rounding alone";
}

}  // namespace
}  // namespace twofour::nn
