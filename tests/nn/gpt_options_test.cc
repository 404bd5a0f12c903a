// What options make of a Gpt: a GPT-2, a Llama.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/nn/gpt.h"

#include "tests/nn/small_gpt.h"
#include "tests/support/expect_error.h"
#include "tests/support/tensors.h"

namespace twofour::nn {
namespace {

using test::ExpectBitEqual;
using test::I32;
using test::RandomIndices;

/// A GPT-2 and a Llama, by their options.
GptOptions Gpt2Options() {
  GptOptions options = kSmall;
  options.activation = Activation::kGeluTanh;
  options.positions = Positions::kLearned;
  options.norm = NormKind::kLayer;
  options.norm_eps = 1e-5;
  options.embedding_norm = options.query_key_norm = false;
  options.bias = options.tied_head = true;
  return options;
}

GptOptions LlamaOptions() {
  GptOptions options = kSmall;
  options.kv_heads = 2;
  options.activation = Activation::kSwiGlu;
  options.rotary = {.counterclockwise = true};
  options.norm = NormKind::kWeightedRms;
  options.embedding_norm = options.query_key_norm = false;
  return options;
}

/// Heads that together are wider than the model, and shared key heads.
GptOptions WideHeads() {
  GptOptions options = kSmall;
  options.heads = 6;
  options.kv_heads = 3;
  options.head_features = 10;
  return options;
}

TEST(GptOptionsTest, OptionsDecideWhichParametersThereAre) {
  const auto names = [](GptOptions options) {
    options.depth = 1;
    std::vector<std::string> found;
    for (const NamedTensor& parameter : MakeGpt(options)->NamedParameters()) found.push_back(parameter.name);
    return found;
  };
  EXPECT_THAT(
      names(LlamaOptions()),
      ::testing::ElementsAre("transformer.wte.weight", "transformer.h.0.ln_1.weight", "transformer.h.0.attn.c_q.weight",
                             "transformer.h.0.attn.c_k.weight", "transformer.h.0.attn.c_v.weight",
                             "transformer.h.0.attn.c_proj.weight", "transformer.h.0.ln_2.weight",
                             "transformer.h.0.mlp.c_gate.weight", "transformer.h.0.mlp.c_fc.weight",
                             "transformer.h.0.mlp.c_proj.weight", "transformer.ln_f.weight", "lm_head.weight"));
  EXPECT_THAT(names(Gpt2Options()),
              ::testing::IsSupersetOf({"transformer.wpe.weight", "transformer.h.0.ln_1.bias",
                                       "transformer.h.0.attn.c_q.bias", "transformer.h.0.attn.c_proj.bias",
                                       "transformer.h.0.mlp.c_fc.bias", "transformer.ln_f.bias", "lm_head.weight"}));
}

TEST(GptOptionsTest, ATiedHeadIsTheEmbedding) {
  const auto gpt = MakeGpt(Gpt2Options());
  Tensor embedding, head;
  for (const NamedTensor& parameter : gpt->NamedParameters()) {
    if (parameter.name == "transformer.wte.weight") embedding = parameter.tensor;
    if (parameter.name == "lm_head.weight") head = parameter.tensor;
  }
  EXPECT_EQ(embedding.impl(), head.impl());
  // The gradient has both parts: from the embedding's rows of the tokens, and from the head's rows of all tokens.
  gpt->Loss(I32({3, 3}, {1, 2}), I32({3, 3}, {1, 2})).Backward();
  const Tensor untied_gradient = embedding.grad();
  for (int64_t token = 0; token < 19; ++token) {
    double sum = 0;
    for (int64_t i = 0; i < 32; ++i)
      sum += std::fabs(static_cast<double>(untied_gradient.data<float>()[token * 32 + i]));
    EXPECT_GT(sum, 0) << token;
  }
}

TEST(GptOptionsTest, DecodesWhatForwardComputesWhateverTheOptions) {
  for (const GptOptions& options : {Gpt2Options(), LlamaOptions(), WideHeads()}) {
    const auto gpt = MakeGpt(options);
    const Tensor tokens = RandomIndices({2, 11}, 19, {1, 1, 0});
    const Tensor all = gpt->Forward(tokens);
    KeyValueCache cache = gpt->MakeCache(2, 16);
    for (const auto& [begin, end] : {std::pair(0, 4), {4, 5}, {5, 11}}) {
      Tensor part = Tensor::Empty({2, end - begin}, DType::kI32);
      for (int64_t b = 0; b < 2; ++b) {
        for (int64_t t = begin; t < end; ++t) {
          part.mutable_data<int32_t>()[b * (end - begin) + t - begin] = tokens.data<int32_t>()[b * 11 + t];
        }
      }
      const Tensor logits = gpt->Decode(part, cache);
      for (int64_t b = 0; b < 2; ++b) {
        for (int64_t v = 0; v < 19; ++v) {
          EXPECT_NEAR(logits.data<float>()[b * 19 + v], all.data<float>()[(b * 11 + end - 1) * 19 + v], 2e-5f);
        }
      }
    }
  }
}

TEST(GptOptionsTest, HeadsOfTheirOwnSize) {
  const auto gpt = MakeGpt(WideHeads());
  std::map<std::string, Shape> shapes;
  for (const NamedTensor& parameter : gpt->NamedParameters()) shapes.emplace(parameter.name, parameter.tensor.shape());
  EXPECT_EQ(shapes.at("transformer.h.1.attn.c_q.weight"), (Shape{60, 32}));
  EXPECT_EQ(shapes.at("transformer.h.1.attn.c_v.weight"), (Shape{30, 32}));
  EXPECT_EQ(shapes.at("transformer.h.1.attn.c_proj.weight"), (Shape{32, 60}));
  // Two matrices of 60 * 32 and two of 30 * 32 in each block, and attention over 60 features.
  EXPECT_EQ(gpt->TrainingFlopsPerToken(), 6 * (2 * (180 * 32 + 8 * 32 * 32) + 19 * 32) + 12 * 2 * 60 * 8.5);
  EXPECT_EQ(gpt->options().head_features, 10);
  // The size that heads have anyway is the same model, to the bit.
  GptOptions options = kSmall;
  EXPECT_EQ(Resolved(options).head_features, 8);
  const Tensor tokens = RandomIndices({2, 7}, 19, {1, 1, 0});
  const Tensor expected = MakeGpt(options)->Forward(tokens);
  options.head_features = 8;
  ExpectBitEqual(MakeGpt(options)->Forward(tokens), expected);
}

TEST(GptOptionsTest, LearnedPositionsEnd) {
  const auto gpt = MakeGpt(Gpt2Options());
  EXPECT_ERROR(gpt->Forward(RandomIndices({1, 17}, 19, {1, 1, 0})), ErrorKind::kInvalidInput,
               "Gpt: 17 tokens after 0, but its learned positions end at 16");
  KeyValueCache cache = gpt->MakeCache(1, 40);
  gpt->Decode(RandomIndices({1, 16}, 19, {1, 1, 0}), cache);
  EXPECT_ERROR(gpt->Decode(I32({1}, {1, 1}), cache), ErrorKind::kInvalidInput,
               "Gpt: 1 tokens after 16, but its learned positions end at 16");
}

}  // namespace
}  // namespace twofour::nn
