#include "twofour/nn/gpt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "twofour/core/autograd.h"
#include "twofour/core/error.h"
#include "twofour/nn/layers.h"
#include "twofour/nn/state_dict.h"
#include "twofour/nn/swap.h"
#include "twofour/optim/adamw.h"

#include "tests/nn/small_gpt.h"
#include "tests/support/expect_error.h"
#include "tests/support/fixtures.h"
#include "tests/support/tensors.h"

namespace twofour::nn {
namespace {

using test::ExpectBitEqual;
using test::ExpectClose;
using test::Fixture;
using test::I32;
using test::RandomIndices;
using ::testing::HasSubstr;

/// The model that a fixture's metadata describes, with its weights.
std::unique_ptr<Gpt> FromFixture(const Fixture& fixture, Activation activation) {
  const auto size = [&](const char* key) { return static_cast<int64_t>(fixture.Number(key)); };
  auto gpt = MakeGpt({.vocab_size = size("vocab_size"),
                      .sequence_length = size("sequence_length"),
                      .depth = size("depth"),
                      .width = size("width"),
                      .heads = size("heads"),
                      .kv_heads = size("kv_heads"),
                      .hidden_features = size("hidden_features"),
                      .attention_window = size("attention_window"),
                      .activation = activation,
                      .soft_cap = fixture.Number("soft_cap"),
                      .rotary = {.base = fixture.Number("rotary_base")}});
  std::vector<NamedTensor> state;
  for (const NamedTensor& parameter : gpt->NamedParameters()) {
    state.push_back({parameter.name, fixture.Get(parameter.name)});
  }
  LoadStateDict(*gpt, state, "fixture");
  return gpt;
}

/// Expects |actual - expected| to be at most 1e-4 of the largest element of `expected`.
void ExpectWithinOneInTenThousand(const Tensor& actual, const Tensor& expected) {
  double largest = 0;
  for (const float x : expected.ToVector()) largest = std::max(largest, std::fabs(static_cast<double>(x)));
  ExpectClose(actual, expected, 0, 1e-4 * largest);
}

class PyTorchGptTest : public ::testing::TestWithParam<std::pair<const char*, Activation>> {};

TEST_P(PyTorchGptTest, AgreesInLogitsLossGradientsAndFiveAdamWSteps) {
  const Fixture fixture(GetParam().first);
  auto gpt = FromFixture(fixture, GetParam().second);
  const Tensor tokens = fixture.Get("tokens"), targets = fixture.Get("targets");
  ExpectWithinOneInTenThousand(gpt->Forward(tokens), fixture.Get("logits"));

  optim::AdamW adamw({{gpt->NamedParameters(), fixture.Number("weight_decay")}}, {.lr = fixture.Number("lr"),
                                                                                  .beta1 = fixture.Number("beta1"),
                                                                                  .beta2 = fixture.Number("beta2"),
                                                                                  .eps = fixture.Number("eps")});
  const int steps = static_cast<int>(fixture.Number("steps"));
  ASSERT_EQ(steps, 5);
  for (int step = 0; step < steps; ++step) {
    adamw.ZeroGrad();
    const Tensor loss = gpt->Loss(tokens, targets);
    loss.Backward();
    for (const NamedTensor& parameter : gpt->NamedParameters()) {
      SCOPED_TRACE(parameter.name);
      if (step == 0) ExpectWithinOneInTenThousand(parameter.tensor.grad(), fixture.Get(parameter.name + ".grad"));
    }
    if (step == 0) {
      EXPECT_NEAR(loss.item(), fixture.Get("loss").item(), 1e-4 * fixture.Get("loss").item());
    }
    adamw.Step();
    if (step != 0 && step != steps - 1) continue;
    for (const NamedTensor& parameter : gpt->NamedParameters()) {
      SCOPED_TRACE(parameter.name + " after step " + std::to_string(step));
      ExpectWithinOneInTenThousand(parameter.tensor, fixture.Get(parameter.name + ".after." + std::to_string(step)));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Fixtures, PyTorchGptTest,
                         ::testing::Values(std::pair("gpt", Activation::kReluSquared),
                                           std::pair("gpt_window", Activation::kSwiGlu)),
                         [](const auto& test) { return std::string(test.param.first); });

TEST(GptTest, NamesAreThoseOfPyTorch) {
  std::vector<std::string> names;
  GptOptions options = kSmall;
  options.depth = 1;
  for (const NamedTensor& parameter : MakeGpt(options)->NamedParameters()) names.push_back(parameter.name);
  EXPECT_THAT(names, ::testing::ElementsAre("transformer.wte.weight", "transformer.h.0.attn.c_q.weight",
                                            "transformer.h.0.attn.c_k.weight", "transformer.h.0.attn.c_v.weight",
                                            "transformer.h.0.attn.c_proj.weight", "transformer.h.0.mlp.c_fc.weight",
                                            "transformer.h.0.mlp.c_proj.weight", "lm_head.weight"));
}

TEST(GptTest, StartsWithTheStandardDeviationsAskedFor) {
  Generator generator(3);
  Gpt gpt({.vocab_size = 64,
           .sequence_length = 8,
           .depth = 1,
           .width = 64,
           .heads = 2,
           .init = {.embedding_std = 2, .head_std = 0.01}},
          generator);
  std::map<std::string, double> std_of;
  for (const NamedTensor& parameter : gpt.NamedParameters()) {
    double squares = 0;
    for (const float x : parameter.tensor.ToVector()) squares += static_cast<double>(x) * static_cast<double>(x);
    std_of[parameter.name] = std::sqrt(squares / static_cast<double>(parameter.tensor.numel()));
  }
  EXPECT_NEAR(std_of["transformer.wte.weight"], 2, 0.1);
  EXPECT_NEAR(std_of["lm_head.weight"], 0.01, 0.0005);
  EXPECT_NEAR(std_of["transformer.h.0.attn.c_q.weight"], 0.125, 0.005);  // 1 / sqrt(64)
  EXPECT_NEAR(std_of["transformer.h.0.mlp.c_fc.weight"], 0.125, 0.005);
  EXPECT_EQ(std_of["transformer.h.0.attn.c_proj.weight"], 0);
  EXPECT_EQ(std_of["transformer.h.0.mlp.c_proj.weight"], 0);
}

TEST(GptTest, LossIsThatOfTheLogits) {
  GptOptions options = kSmall;
  options.soft_cap = 2;
  auto gpt = MakeGpt(options);
  const Tensor tokens = RandomIndices({2, 9}, 19, {1, 1, 0}), targets = RandomIndices({2, 9}, 19, {1, 2, 0});
  const Tensor logits = gpt->Forward(tokens);
  double sum = 0;
  for (int64_t i = 0; i < 18; ++i) {
    double total = 0;
    for (int64_t c = 0; c < 19; ++c) total += std::exp(static_cast<double>(logits.data<float>()[i * 19 + c]));
    sum += std::log(total) - static_cast<double>(logits.data<float>()[i * 19 + targets.data<int32_t>()[i]]);
  }
  EXPECT_NEAR(gpt->Loss(tokens, targets).item(), sum / 18, 1e-5);
}

TEST(GptTest, LaterTokensChangeNothingBefore) {
  auto gpt = MakeGpt(kSmall);
  Tensor tokens = RandomIndices({1, 10}, 19, {1, 1, 0});
  const std::vector<float> before = gpt->Forward(tokens).ToVector();
  tokens.mutable_data<int32_t>()[6] = (tokens.data<int32_t>()[6] + 1) % 19;
  const std::vector<float> after = gpt->Forward(tokens).ToVector();
  EXPECT_EQ(std::vector(before.begin(), before.begin() + 6 * 19), std::vector(after.begin(), after.begin() + 6 * 19));
  for (size_t position = 6; position < 10; ++position) {
    EXPECT_NE(std::vector(before.begin() + position * 19, before.begin() + (position + 1) * 19),
              std::vector(after.begin() + position * 19, after.begin() + (position + 1) * 19));
  }
}

/// Reads `tokens` [batch, T] in portions and compares the logits after each portion with those of Forward.
void ExpectDecodesAsForward(Gpt& gpt, const Tensor& tokens, const std::vector<int64_t>& portions, int64_t capacity) {
  const int64_t batch = tokens.dim(0), length = tokens.dim(1), vocab = gpt.options().vocab_size;
  const Tensor logits = gpt.Forward(tokens);
  KeyValueCache cache = gpt.MakeCache(batch, capacity);
  int64_t at = 0;
  for (const int64_t portion : portions) {
    Tensor part = Tensor::Empty({batch, portion}, DType::kI32), expected = Tensor::Empty({batch, vocab});
    for (int64_t b = 0; b < batch; ++b) {
      std::copy_n(tokens.data<int32_t>() + b * length + at, portion, part.mutable_data<int32_t>() + b * portion);
      std::copy_n(logits.data<float>() + (b * length + at + portion - 1) * vocab, vocab,
                  expected.mutable_data<float>() + b * vocab);
    }
    ExpectClose(gpt.Decode(part, cache), expected, 1e-4, 1e-5);
    at += portion;
  }
  EXPECT_EQ(cache.length, at);
}

TEST(GptTest, DecodingWithTheCacheIsDecodingWithout) {
  // Grouped heads and a window. There are more tokens than sequence_length, after which the window slides.
  constexpr int64_t kLength = 25;
  for (const auto& [kv_heads, window] : std::vector<std::pair<int64_t, int64_t>>{{0, 0}, {1, 0}, {2, 5}}) {
    GptOptions options = kSmall;
    options.kv_heads = kv_heads;
    options.attention_window = window;
    auto gpt = MakeGpt(options);
    const Tensor tokens = RandomIndices({2, kLength}, 19, {4, 1, 0});
    for (const std::vector<int64_t>& portions : {std::vector<int64_t>(kLength, 1), {7, 1, 1, 16}, {kLength}}) {
      ExpectDecodesAsForward(*gpt, tokens, portions, kLength + 3);
    }
    // The smallest cache that is never too small for three tokens at a time. Its rows move up again and again.
    ExpectDecodesAsForward(*gpt, tokens, {3, 3, 1, 1, 3, 2, 3, 3, 1, 3, 1, 1}, gpt->options().attention_window + 2);
  }
}

TEST(GptTest, SparseModelsDecodeAsTheyTrained) {
  auto gpt = MakeGpt(kSmall);
  SwapLinearWithSemiSparseLinear(*gpt, {.include = ".*\\.mlp\\..*"});
  ExpectDecodesAsForward(*gpt, RandomIndices({1, 20}, 19, {4, 1, 0}), {5, 1, 1, 1, 10, 1, 1}, 30);
}

TEST(GptTest, ACacheThatIsTooSmallIsRefused) {
  auto gpt = MakeGpt(kSmall);
  KeyValueCache cache = gpt->MakeCache(2, 5);
  EXPECT_ERROR(gpt->Decode(RandomIndices({2, 6}, 19, {}), cache), ErrorKind::kInvalidInput,
               HasSubstr("[2, 6] tokens after 0 do not fit"));
  gpt->Decode(RandomIndices({2, 4}, 19, {}), cache);
  EXPECT_ERROR(gpt->Decode(RandomIndices({2, 2}, 19, {}), cache), ErrorKind::kInvalidInput,
               HasSubstr("[2, 2] tokens after 4 do not fit"));
  EXPECT_ERROR(
      gpt->Decode(RandomIndices({1, 1}, 19, {}), cache), ErrorKind::kInvalidInput,
      HasSubstr("x [1, 1, 32] does not fit into a cache of 2 layers for 5 tokens that holds 4; keys of layer 0: "
                "f32 [2, 5, 4, 8], expected [1, 5, 4, 8]"));
  EXPECT_ERROR(gpt->MakeCache(0, 5), ErrorKind::kInvalidInput, HasSubstr("0 sequences"));
}

TEST(GptTest, SparseMlpsLearnFromAZeroProjection) {
  // At the start every tile of c_proj is a tie, and c_fc gets no gradient. The straight-through estimator must lead out
  // of this.
  Generator generator(1);
  GptOptions options = kSmall;
  options.soft_cap = 15;
  Gpt gpt(options, generator);
  const SwapReport report = SwapLinearWithSemiSparseLinear(gpt, {.include = ".*\\.mlp\\..*"});
  std::vector<std::string> converted;
  for (const SwapEntry& entry : report.converted) converted.push_back(entry.name);
  EXPECT_THAT(converted, ::testing::ElementsAre("transformer.h.0.mlp.c_fc", "transformer.h.0.mlp.c_proj",
                                                "transformer.h.1.mlp.c_fc", "transformer.h.1.mlp.c_proj"));
  optim::AdamW adamw({{gpt.NamedParameters()}}, {.lr = 3e-3});
  const Tensor tokens = RandomIndices({4, 16}, 19, {1, 1, 0}), targets = RandomIndices({4, 16}, 19, {1, 2, 0});
  EXPECT_NEAR(gpt.Loss(tokens, targets).item(), std::log(19), 0.01);
  for (int step = 0; step < 60; ++step) {
    adamw.ZeroGrad();
    gpt.Loss(tokens, targets).Backward();
    adamw.Step();
  }
  EXPECT_LT(gpt.Loss(tokens, targets).item(), 1.5);  // Memorised in part. It is stuck higher if an MLP stays zero.
  for (const NamedSemiSparseLinear& found : FindSemiSparseLinears(gpt)) {
    const std::vector<float> weight = found.layer->weight().ToVector();
    EXPECT_GT(std::count_if(weight.begin(), weight.end(), [](float x) { return x != 0; }),
              static_cast<int64_t>(weight.size()) * 9 / 10)
        << found.name;
    EXPECT_GT(found.layer->RetainedL1(), 0.5) << found.name;
  }
}

TEST(GptTest, ASwappedHeadLosesNothing) {
  GptOptions options = kSmall;
  options.vocab_size = 32;
  options.soft_cap = 3;
  auto gpt = MakeGpt(options);
  SwapLinearWithSemiSparseLinear(*gpt, {.include = "lm_head"});
  const Tensor tokens = RandomIndices({2, 5}, 32, {1, 1, 0});
  const Tensor loss = gpt->Loss(tokens, tokens);
  EXPECT_TRUE(std::isfinite(loss.item()));
  loss.Backward();
  for (const NamedTensor& parameter : gpt->NamedParameters()) EXPECT_TRUE(parameter.tensor.grad().defined());
}

TEST(GptTest, CountsTrainingFlops) {
  GptOptions options = kSmall;
  options.hidden_features = 100;
  // Each block has four matrices [32, 32] and two of 100 * 32; the head has 19 * 32. 16 tokens see 8.5 tokens on
  // average.
  EXPECT_EQ(MakeGpt(options)->TrainingFlopsPerToken(),
            6 * (2 * (4 * 32 * 32 + 2 * 100 * 32) + 19 * 32) + 12 * 2 * 32 * 8.5);
  options.attention_window = 2;  // 1.9375 on average, because the first token sees only itself.
  EXPECT_EQ(MakeGpt(options)->TrainingFlopsPerToken(),
            6 * (2 * (4 * 32 * 32 + 2 * 100 * 32) + 19 * 32) + 12 * 2 * 32 * 1.9375);
}

TEST(GptTest, SizesOfZeroAreDerived) {
  const GptOptions options = Resolved({.sequence_length = 8, .depth = 3});
  EXPECT_EQ(options.width, 192);
  EXPECT_EQ(options.heads, 3);
  EXPECT_EQ(options.hidden_features, 768);
  EXPECT_EQ(options.attention_window, 8);
  EXPECT_EQ(Resolved({.sequence_length = 8, .depth = 3, .width = 32}).heads, 1);
  EXPECT_EQ(MakeGpt({.vocab_size = 5, .sequence_length = 8, .depth = 1})->options().width, 64);
  EXPECT_ERROR(MakeGpt({.vocab_size = 5, .sequence_length = 8}), ErrorKind::kInvalidInput,
               "Gpt: width is 0, expected a positive width, or a depth above 0 to derive it from");
}

TEST(GptTest, RejectsSizesThatDoNotFit) {
  const auto with = [](auto change) {
    GptOptions options = kSmall;
    change(options);
    MakeGpt(options);
  };
  EXPECT_ERROR(with([](auto& o) { o.vocab_size = 0; }), ErrorKind::kInvalidInput, HasSubstr("vocab_size is 0"));
  EXPECT_ERROR(with([](auto& o) { o.depth = -1; }), ErrorKind::kInvalidInput, HasSubstr("depth is -1"));
  EXPECT_ERROR(with([](auto& o) { o.heads = 5; }), ErrorKind::kInvalidInput,
               HasSubstr("heads is 5, expected a divisor of the width, which is 32"));
  EXPECT_ERROR(with([](auto& o) { o.heads = 32; }), ErrorKind::kInvalidInput, HasSubstr("head size"));
  EXPECT_ERROR(with([](auto& o) { o.kv_heads = 3; }), ErrorKind::kInvalidInput,
               HasSubstr("kv_heads is 3, expected a divisor of heads, which is 4"));
  EXPECT_ERROR(with([](auto& o) { o.head_features = 7; }), ErrorKind::kInvalidInput,
               "Gpt: head_features is 7, expected an even number: rotary positions turn pairs");
  EXPECT_ERROR(with([](auto& o) { o.head_features = -8; }), ErrorKind::kInvalidInput,
               "Gpt: head_features is -8, expected 0 to 1048576");
  EXPECT_ERROR(with([](auto& o) { o.head_features = 1 << 19; }), ErrorKind::kInvalidInput,
               "Gpt: heads is 4, expected at most 2 with 524288 features each");
  EXPECT_ERROR(with([](auto& o) {
                 o.depth = -1;
                 o.width = 0;
                 o.heads = 5;
               }),
               ErrorKind::kInvalidInput, "Gpt: depth is -1, expected 0 to 1000");
  EXPECT_ERROR(with([](auto& o) {
                 o.width = 7;
                 o.heads = 0;
               }),
               ErrorKind::kInvalidInput, "Gpt: width is 7, expected an even number: rotary positions turn pairs");
  EXPECT_ERROR(with([](auto& o) {
                 o.width = 130;
                 o.heads = 0;
               }),
               ErrorKind::kInvalidInput, "Gpt: width is 130, expected a multiple of 64, or heads that divide it");
  EXPECT_ERROR(with([](auto& o) {
                 o.width = -32;
                 o.kv_heads = 3;
               }),
               ErrorKind::kInvalidInput, "Gpt: width is -32, expected 0 to 1048576");
  EXPECT_ERROR(with([](auto& o) {
                 o.heads = 5;
                 o.kv_heads = 3;
               }),
               ErrorKind::kInvalidInput, "Gpt: heads is 5, expected a divisor of the width, which is 32");
  EXPECT_ERROR(with([](auto& o) { o.rotary.base = 1; }), ErrorKind::kInvalidInput, HasSubstr("rotary.base is 1"));
  EXPECT_ERROR(with([](auto& o) { o.rotary.scaling.factor = 0; }), ErrorKind::kInvalidInput,
               HasSubstr("rotary.scaling.factor is 0"));
  EXPECT_ERROR(with([](auto& o) {
                 o.positions = Positions::kLearned;
                 o.learned_positions = 15;
               }),
               ErrorKind::kInvalidInput, HasSubstr("learned_positions is 15, expected 0, or 16 (sequence_length) to"));
  EXPECT_ERROR(with([](auto& o) { o.norm_eps = -1; }), ErrorKind::kInvalidInput, HasSubstr("norm_eps is -1"));
  EXPECT_ERROR(with([](auto& o) { o.soft_cap = 1e-300; }), ErrorKind::kInvalidInput, HasSubstr("soft_cap is 1e-300"));
  EXPECT_ERROR(with([](auto& o) { o.attention_window = -2; }), ErrorKind::kInvalidInput, HasSubstr("window is -2"));
  EXPECT_ERROR(MakeGpt(kSmall)->Forward(Tensor::Zeros({2, 3})), ErrorKind::kInvalidInput,
               HasSubstr("tokens f32 [2, 3], expected i32 [batch, T]"));
  EXPECT_ERROR(MakeGpt(kSmall)->Forward(I32({0, 19}, {1, 2})), ErrorKind::kInvalidInput, HasSubstr("19"));
}

TEST(GptTest, ALossNeedsATokenAndATargetForEach) {
  const auto gpt = MakeGpt(kSmall);
  for (const Shape& empty : {Shape{0, 4}, Shape{2, 0}}) {
    const Tensor none = Tensor::Zeros(empty, DType::kI32);
    EXPECT_ERROR(gpt->Loss(none, none), ErrorKind::kInvalidInput, HasSubstr("expected equal shapes and at least one"));
  }
  EXPECT_ERROR(gpt->Loss(I32({0, 1}, {1, 2}), I32({0, 1, 2}, {1, 3})), ErrorKind::kInvalidInput,
               "Gpt: targets [1, 3] for tokens [1, 2], expected equal shapes and at least one token");
}

TEST(GptTest, DecodingWithAnotherKindOfBlockOrAttentionIsAnError) {
  for (const auto& [place, expected] : {std::pair("transformer.h.1", "h.1 is a Dropout, expected GptBlock"),
                                        std::pair("transformer.h.0.attn", "attn is a Dropout")}) {
    const auto gpt = MakeGpt(kSmall);
    KeyValueCache cache = gpt->MakeCache(1, 4);
    Generator generator(1);
    gpt->VisitSlots([&, place = std::string(place)](const std::string& name, ModuleSlot& slot) {
      if (name == place) slot.Replace(std::make_unique<Dropout>(0.0, generator));
    });
    EXPECT_EQ(gpt->Forward(I32({0, 1}, {1, 2})).shape(), (Shape{1, 2, kSmall.vocab_size}));
    EXPECT_ERROR(gpt->Decode(I32({0}, {1, 1}), cache), ErrorKind::kInvalidInput, HasSubstr(expected));
    EXPECT_ERROR(gpt->MakeCache(1, 4), ErrorKind::kInvalidInput, HasSubstr(expected));
  }
}

}  // namespace
}  // namespace twofour::nn
