#include "twofour/train/exchange/adapter_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "twofour/core/error.h"

namespace twofour::train {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

// As PEFT 0.21.2 writes it.
constexpr const char* kPeft21 = R"({
  "alora_invocation_tokens": null, "alpha_pattern": {}, "arrow_config": null,
  "auto_mapping": {"base_model_class": "M", "parent_library": "__main__"}, "base_model_name_or_path": "some/model",
  "bias": "none", "corda_config": null, "ensure_weight_tying": false, "eva_config": null, "exclude_modules": null,
  "fan_in_fan_out": false, "inference_mode": true, "init_lora_weights": true, "kasa_config": null,
  "layer_replication": null, "layers_pattern": null, "layers_to_transform": null, "loftq_config": {},
  "lora_alpha": 16, "lora_bias": false, "lora_dropout": 0.05, "lora_ga_config": null, "megatron_config": null,
  "megatron_core": "megatron.core", "modules_to_save": null, "monteclora_config": null, "peft_type": "LORA",
  "peft_version": "0.21.2", "qalora_group_size": 16, "r": 8, "rank_pattern": {}, "revision": null,
  "target_modules": ["c_fc", "c_proj"], "target_parameters": null, "task_type": "CAUSAL_LM",
  "trainable_token_indices": null, "use_bdlora": null, "use_dora": false, "use_qalora": false, "use_rslora": false,
  "velora_config": null})";
// As PEFT 0.2 wrote it.
constexpr const char* kPeft2 = R"({
  "base_model_name_or_path": "some/model", "bias": "none", "enable_lora": null, "fan_in_fan_out": false,
  "inference_mode": true, "lora_alpha": 16, "lora_dropout": 0.05, "merge_weights": false, "modules_to_save": null,
  "peft_type": "LORA", "r": 8, "target_modules": ["q_proj", "v_proj"], "task_type": "CAUSAL_LM"})";

/// A config with another field.
std::string With(const std::string& field) {
  return R"({"peft_type": "LORA", "r": 2, "lora_alpha": 3)" + (field.empty() ? "" : ", " + field) + "}";
}

void ExpectRefused(const std::string& config, const std::string& message) {
  SCOPED_TRACE(config);
  EXPECT_THAT([&] { ParseAdapterConfig(config, "file"); }, ThrowsMessage<Error>(HasSubstr("file: " + message)));
}

TEST(AdapterConfigTest, ReadsWhatPeftWrites) {
  for (const char* const config : {kPeft21, kPeft2}) {
    EXPECT_EQ(ParseAdapterConfig(config, "file").rank, 8);
    EXPECT_EQ(ParseAdapterConfig(config, "file").alpha, 16);
  }
  EXPECT_EQ(ParseAdapterConfig(With(""), "file").rank, 2);
}

TEST(AdapterConfigTest, OnlyBeginningsThatLeaveTheWeightAlone) {
  for (const char* const plain :
       {"null", "true", "false", R"("gaussian")", R"("orthogonal")", R"("eva")", R"("mica")"}) {
    EXPECT_EQ(ParseAdapterConfig(With(R"("init_lora_weights": )" + std::string(plain)), "file").rank, 2) << plain;
  }
  for (const char* const other : {R"("pissa")", R"("pissa_niter_4")", R"("olora")", R"("corda")", R"("loftq")",
                                  R"("lora_ga")", R"("later")", "1", "[]"}) {
    ExpectRefused(With(R"("init_lora_weights": )" + std::string(other)),
                  "init_lora_weights: " + std::string(other) + ", expected true, false, \"eva\", \"gaussian\"");
  }
}

TEST(AdapterConfigTest, RefusesFieldsThatMayChangeTheComputation) {
  for (const char* const field : {R"("use_rslora": true)",
                                  R"("use_dora": true)",
                                  R"("rank_pattern": {"a":4})",
                                  R"("alpha_pattern": {"a":4})",
                                  R"("fan_in_fan_out": true)",
                                  R"("lora_bias": true)",
                                  R"("alora_invocation_tokens": [1,2])",
                                  R"("layer_replication": [[0,1],[0,2]])",
                                  R"("use_qalora": true)",
                                  R"("use_bdlora": {"nblocks":2})",
                                  R"("arrow_config": {"top_k":3})",
                                  R"("target_parameters": ["a"])",
                                  R"("trainable_token_indices": [1])",
                                  R"("megatron_config": {"a":1})",
                                  R"("monteclora_config": {"a":1})",
                                  R"("kasa_config": {"a":1})",
                                  R"("modules_to_save": ["lm_head"])",
                                  R"("enable_lora": [true])",
                                  R"("ensure_weight_tying": true)",
                                  R"("of_a_later_version": "x")",
                                  R"("of_a_later_version": 0)"}) {
    const std::string name = std::string(field).substr(1, std::string(field).find('"', 1) - 1);
    const std::string value = std::string(field).substr(name.size() + 4);
    ExpectRefused(With(field), "field '" + name + "': " + value +
                                   ", expected none: it is not known to leave W + alpha / r * B A as it is");
  }
  for (const char* const unset : {"null", "false", "{}", "[]", R"("")"}) {
    EXPECT_EQ(ParseAdapterConfig(With(R"("of_a_later_version": )" + std::string(unset)), "file").rank, 2) << unset;
  }
  ExpectRefused(With(R"("a\nb": 1)"), R"(field 'a\x0ab': 1)");
  ExpectRefused(With(R"("bias": "all")"), R"(bias: "all", expected "none")");
}

TEST(AdapterConfigTest, WhatIsNoConfig) {
  ExpectRefused("[]", "is no JSON object");
  ExpectRefused(R"({"a": )" + std::string(80, '[') + std::string(80, ']') + "}", "nested deeper than 64");
  ExpectRefused(R"({"peft_type": "IA3"})", "expected the config of a LoRA adapter");
  for (const char* const rank : {"null", "0", "-1", "2.5", R"("2")", "1e+30"}) {
    ExpectRefused(R"({"peft_type": "LORA", "lora_alpha": 3, "r": )" + std::string(rank) + "}",
                  "r: " + std::string(rank) + ", expected the rank");
  }
  ExpectRefused(R"({"peft_type": "LORA", "lora_alpha": 3})", "r: missing, expected the rank");
  for (const char* const alpha : {"null", "0", "-1", R"("2")", "1e+300"}) {
    ExpectRefused(R"({"peft_type": "LORA", "r": 2, "lora_alpha": )" + std::string(alpha) + "}",
                  "lora_alpha: " + std::string(alpha) + ", expected a number above 0, at most 3.40282e+38");
  }
}

}  // namespace
}  // namespace twofour::train
