#include "twofour/train/exchange/hugging_face.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "twofour/core/autograd.h"
#include "twofour/core/error.h"
#include "twofour/core/io/safetensors_shards.h"
#include "twofour/core/io/text.h"
#include "twofour/core/random.h"
#include "twofour/nn/state_dict.h"
#include "twofour/train/exchange/weight_source.h"

#include "tests/support/expect_error.h"
#include "tests/support/fixtures.h"
#include "tests/support/tensors.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;
using test::ExpectBitEqual;
using test::ExpectClose;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

fs::path Checkpoint(const std::string& name) {
  return fs::path(TWOFOUR_SOURCE_DIR) / "tests" / "fixtures" / "checkpoints" / name;
}

HuggingFaceModel ConfigOf(const std::string& name) {
  const fs::path path = Checkpoint(name) / "config.json";
  return ParseHuggingFaceConfig(ReadText(FileSystem::Default(), path, 1 << 20), path.string());
}

/// The model of a checkpoint with its weights.
std::unique_ptr<nn::Gpt> Load(const std::string& name) {
  const HuggingFaceModel model = ConfigOf(name);
  Generator generator(1);
  auto gpt = std::make_unique<nn::Gpt>(model.options, generator);
  std::map<std::string, Shape> shapes;
  for (const NamedTensor& parameter : gpt->NamedParameters()) shapes.emplace(parameter.name, parameter.tensor.shape());
  WeightSource source = LoadWeightSource(FileSystem::Default(), Checkpoint(name));
  std::vector<std::string> names;
  for (const NamedTensor& named : source.file.tensors) names.push_back(named.name);
  std::vector<NamedTensor> state = TakeMatched(source.file, MatchesOf(model, names), shapes, name);
  EXPECT_TRUE(source.file.tensors.empty());
  if (model.options.tied_head) {
    state.push_back({"lm_head.weight", std::ranges::find(state, "transformer.wte.weight", &NamedTensor::name)->tensor});
  }
  nn::LoadStateDict(*gpt, state, name);
  return gpt;
}

class CheckpointTest : public ::testing::TestWithParam<const char*> {};

TEST_P(CheckpointTest, LogitsAreThoseOfTransformers) {
  const std::string name = GetParam();
  const NoGradGuard no_grad;
  const auto gpt = Load(name);
  const test::Fixture expected("checkpoints/" + name + "/expected");
  ExpectClose(gpt->Forward(expected.Get("tokens")), expected.Get("logits"), 0, 1e-5);
}

TEST_P(CheckpointTest, GoesBackUnderItsOwnNames) {
  const std::string name = GetParam();
  const HuggingFaceModel model = ConfigOf(name);
  EXPECT_EQ(ArchitectureOf(model.options), model.architecture);
  const std::vector<NamedTensor> made = MakeMatched(Load(name)->NamedParameters(), MatchesOf(model));
  const SafetensorsFile theirs = LoadWeightSource(FileSystem::Default(), Checkpoint(name)).file;
  for (const NamedTensor& named : theirs.tensors) {
    SCOPED_TRACE(named.name);
    const auto found = std::ranges::find(made, named.name, &NamedTensor::name);
    ASSERT_NE(found, made.end());
    ExpectBitEqual(found->tensor, named.tensor);
  }
}

TEST_P(CheckpointTest, ItsConfigComesBack) {
  const HuggingFaceModel model = ConfigOf(GetParam());
  const HuggingFaceModel again = ParseHuggingFaceConfig(ToHuggingFaceConfig(model, DType::kF32), "again");
  EXPECT_EQ(again.architecture, model.architecture);
  EXPECT_EQ(again.bos_token, model.bos_token);
  EXPECT_EQ(again.eos_tokens, model.eos_tokens);
  EXPECT_THAT(model.eos_tokens, Not(IsEmpty()));
  EXPECT_EQ(ToHuggingFaceConfig(again, DType::kBF16), ToHuggingFaceConfig(model, DType::kBF16));
  EXPECT_EQ(again.options.kv_heads, model.options.kv_heads);
  EXPECT_EQ(again.options.rotary.base, model.options.rotary.base);
  EXPECT_EQ(again.options.rotary.scaling.factor, model.options.rotary.scaling.factor);
  EXPECT_EQ(again.options.norm_eps, model.options.norm_eps);
  EXPECT_EQ(again.options.tied_head, model.options.tied_head);
}

INSTANTIATE_TEST_SUITE_P(All, CheckpointTest, ::testing::Values("gpt2", "llama"),
                         [](const auto& test) { return std::string(test.param); });

TEST(HuggingFaceTest, OldGpt2FilesLackThePrefix) {
  const HuggingFaceModel model = ConfigOf("gpt2");
  EXPECT_EQ(MatchesOf(model).front().theirs, "transformer.wte.weight");
  EXPECT_EQ(MatchesOf(model, {"wte.weight"}).front().theirs, "wte.weight");
  EXPECT_TRUE(IsConstant("h.0.attn.bias"));
  EXPECT_TRUE(IsConstant("transformer.h.11.attn.masked_bias"));
  EXPECT_FALSE(IsConstant("transformer.h.11.attn.c_attn.bias"));
}

TEST(HuggingFaceTest, TokensThatEndATextAreOneOrSeveral) {
  const auto parse = [](const std::string& fields) {
    return ParseHuggingFaceConfig(
        R"({"model_type": "gpt2", "vocab_size": 9, "n_embd": 8, "n_layer": 1, "n_head": 2)" + fields + "}", "c");
  };
  HuggingFaceModel model = parse(R"(, "eos_token_id": [7, 5], "pad_token_id": 3)");
  EXPECT_THAT(model.eos_tokens, ElementsAre(7, 5));
  EXPECT_EQ(model.pad_token, 3);
  const HuggingFaceModel again = ParseHuggingFaceConfig(ToHuggingFaceConfig(model, DType::kF32), "again");
  EXPECT_THAT(again.eos_tokens, ElementsAre(7, 5));
  EXPECT_EQ(again.pad_token, 3);
  TakeGenerationConfig(R"({"temperature": 0.6})", "g", model);
  EXPECT_THAT(model.eos_tokens, ElementsAre(7, 5));
  TakeGenerationConfig(R"({"eos_token_id": [8, 5, 900]})", "g", model);
  EXPECT_THAT(model.eos_tokens, ElementsAre(8, 5));
  EXPECT_ERROR(TakeGenerationConfig(R"({"eos_token_id": ["a"]})", "g", model), ErrorKind::kInvalidInput,
               "g: eos_token_id has an element that is no integer");
  // The defaults of GPT-2 beside a small vocabulary, and what Llama 1 has for no padding.
  model = parse(R"(, "eos_token_id": 50256, "pad_token_id": -1)");
  EXPECT_THAT(model.eos_tokens, IsEmpty());
  EXPECT_EQ(model.pad_token, -1);
}

TEST(HuggingFaceTest, OlderConfigsHaveRopeScaling) {
  const std::string begin = R"({"model_type": "llama", "vocab_size": 9, "hidden_size": 8, "intermediate_size": 12,
                               "num_hidden_layers": 1, "num_attention_heads": 2)";
  const HuggingFaceModel linear =
      ParseHuggingFaceConfig(begin + R"(, "rope_theta": 7, "rope_scaling": {"type": "linear", "factor": 2.0}})", "c");
  EXPECT_EQ(linear.options.rotary.base, 7);
  EXPECT_EQ(linear.options.rotary.scaling.factor, 2);
  EXPECT_EQ(linear.options.rotary.scaling.original_length, 0);
  // Files between versions 4 and 5, as transformers 5.24 reads them.
  const std::string llama3 = R"("rope_type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4,
                                "original_max_position_embeddings": 16)";
  const auto rotary = [&](const std::string& fields) {
    return ParseHuggingFaceConfig(begin + ", " + fields + "}", "c").options.rotary;
  };
  EXPECT_EQ(rotary(R"("rope_scaling": {"rope_theta": 500, )" + llama3 + "}").base, 500);
  const RotaryOptions both =
      rotary(R"("rope_parameters": {"rope_type": "default", "rope_theta": 500}, "rope_scaling": {)" + llama3 + "}");
  EXPECT_EQ(both.base, 500);
  EXPECT_EQ(both.scaling.factor, 8);
  EXPECT_EQ(
      rotary(R"("original_max_position_embeddings": 32, "rope_scaling": {)" + llama3 + "}").scaling.original_length,
      32);
  EXPECT_EQ(ParseHuggingFaceConfig(begin + R"(, "rope_scaling": null})", "c").options.rotary.scaling.factor, 1);
  EXPECT_EQ(ParseHuggingFaceConfig(begin + "}", "c").bos_token, -1);
}

TEST(HuggingFaceTest, HeadsOfALlamaMayHaveASizeOfTheirOwn) {
  const auto parse = [](const std::string& fields) {
    return ParseHuggingFaceConfig(R"({"model_type": "llama", "vocab_size": 9, "hidden_size": 8,
        "intermediate_size": 12, "num_hidden_layers": 1, "num_attention_heads": )" +
                                      fields + "}",
                                  "c");
  };
  const HuggingFaceModel three = parse(R"(3, "num_key_value_heads": 1, "head_dim": 6)");
  EXPECT_EQ(three.options.heads, 3);
  EXPECT_EQ(three.options.head_features, 6);
  EXPECT_EQ(ArchitectureOf(three.options), Architecture::kLlama);
  const std::string json = ToHuggingFaceConfig(three, DType::kF32);
  EXPECT_THAT(json, HasSubstr("\"head_dim\": 6"));
  EXPECT_EQ(ParseHuggingFaceConfig(json, "again").options.head_features, 6);
  // The size that heads have anyway goes without saying.
  for (const char* const fields : {"2", R"(2, "head_dim": 4)", R"(2, "head_dim": null)"}) {
    const HuggingFaceModel usual = parse(fields);
    EXPECT_EQ(usual.options.head_features, 4);
    EXPECT_THAT(ToHuggingFaceConfig(usual, DType::kF32), Not(HasSubstr("head_dim")));
  }
}

TEST(HuggingFaceTest, RefusesWhatNoGptComputes) {
  const std::string gpt2 = R"("model_type": "gpt2", "vocab_size": 9, "n_embd": 8, "n_layer": 1, "n_head": 2)";
  const std::string llama = R"("model_type": "llama", "vocab_size": 9, "hidden_size": 8, "intermediate_size": 12,
                              "num_hidden_layers": 1, "num_attention_heads": 2)";
  const auto expect = [](const std::string& fields, const std::string& message) {
    SCOPED_TRACE(fields);
    EXPECT_ERROR(ParseHuggingFaceConfig("{" + fields + "}", "config.json"), ErrorKind::kInvalidInput, message);
  };
  const std::string at = "config.json: ";
  expect("", at + "model_type is missing, expected a string");
  expect(R"("model_type": "bert")", at + "model_type is 'bert', expected gpt2 or llama");
  expect(R"("model_type": 5)", at + "model_type is 5, expected a string");
  expect(R"("model_type": "gpt2")", at + "vocab_size is missing, expected an integer");
  expect(gpt2 + R"(, "vocab_size": "9")", at + "vocab_size is \"9\", expected an integer");
  expect(gpt2 + R"(, "vocab_size": 1e9)", at + "vocab_size is 1000000000.0, expected an integer");
  expect(gpt2 + R"(, "vocab_size": 0)", at + "vocab_size is 0, expected 1 to 1048576");
  expect(gpt2 + R"(, "vocab_size": 18446744073709551615)",
         at + "vocab_size is 18446744073709551615, expected an integer");
  expect(gpt2 + R"(, "n_layer": 1001)", at + "n_layer is 1001, expected 0 to 1000");
  expect(gpt2 + R"(, "n_head": 3)", at + "n_head is 3, expected a divisor of the width, which is 8");
  expect(gpt2 + R"(, "activation_function": "silu")",
         at + "activation_function is 'silu', expected gelu_new, gelu_pytorch_tanh, gelu, relu or relu2");
  expect(gpt2 + R"(, "scale_attn_weights": false)", at + "scale_attn_weights is false, expected true");
  expect(gpt2 + R"(, "scale_attn_by_inverse_layer_idx": true)",
         at + "scale_attn_by_inverse_layer_idx is true, expected false");
  expect(gpt2 + R"(, "layer_norm_epsilon": -1)",
         at + "layer_norm_epsilon is -1, expected a finite number of at least 0");
  expect(llama + R"(, "attention_bias": true)", at + "attention_bias is true, expected false");
  expect(llama + R"(, "head_dim": 3)", at + "head_dim is 3, expected an even number: rotary positions turn pairs");
  expect(llama + R"(, "head_dim": -4)", at + "head_dim is -4, expected 0 to 1048576");
  expect(llama + R"(, "head_dim": 1048576)",
         at + "num_attention_heads is 2, expected at most 1 with 1048576 features each");
  expect(llama + R"(, "hidden_act": "gelu")", at + "hidden_act is 'gelu', expected silu");
  expect(llama + R"(, "bos_token_id": 9)", at + "bos_token_id is 9, expected -1 to 8");
  expect(llama + R"(, "rope_scaling": 3)", at + "rope_scaling is no object");
  expect(llama + R"(, "rope_scaling": {"rope_type": "yarn"})",
         at + "rope_scaling.rope_type is 'yarn', expected default, linear or llama3");
  expect(llama + R"(, "rope_parameters": {"rope_type": "llama3", "factor": 8})",
         at + "rope_parameters.low_freq_factor is missing, expected a number");
  expect(llama + R"(, "rope_theta": 0)", at + "rope_theta is 0, expected a number above 1, at most 1e12");
  EXPECT_ERROR(ParseHuggingFaceConfig("[]", "c"), ErrorKind::kInvalidInput, "c: is no JSON object");
  EXPECT_ERROR(ParseHuggingFaceConfig("{", "c"), ErrorKind::kInvalidInput, HasSubstr("c: not valid JSON"));
  EXPECT_ERROR(ParseHuggingFaceConfig(std::string(100, '['), "c"), ErrorKind::kInvalidInput,
               "c: nested deeper than 64");
}

TEST(HuggingFaceTest, SaysWhyAModelIsNeither) {
  nn::GptOptions gpt2 = ConfigOf("gpt2").options;
  gpt2.heads = 3;
  EXPECT_ERROR(ArchitectureOf(gpt2), ErrorKind::kInvalidInput,
               HasSubstr("the model is no GPT-2, because it has heads of 8 features, which are not width / heads"));
  EXPECT_ERROR(ArchitectureOf({.vocab_size = 9, .sequence_length = 4, .depth = 1, .soft_cap = 15}),
               ErrorKind::kInvalidInput,
               "neither GPT-2 nor Llama has embedding_norm, query_key_norm, soft_cap, which the model has");
  EXPECT_ERROR(
      ArchitectureOf(
          {.vocab_size = 9, .sequence_length = 4, .depth = 1, .embedding_norm = false, .query_key_norm = false}),
      ErrorKind::kInvalidInput,
      "the model is no GPT-2, because it has rotary positions, no layer norms, no biases, and no Llama, because it has "
      "rotary positions that turn clockwise, no RMS norms with weights, no SWIGLU");
}

}  // namespace
}  // namespace twofour::train
