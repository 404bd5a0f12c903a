#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "twofour/core/dtype.h"
#include "twofour/nn/gpt.h"
#include "twofour/train/exchange/tensor_match.h"

// Language models in the form in which Hugging Face's transformers keeps them: a folder with config.json and
// model.safetensors, or shards of it.

namespace twofour::train {

enum class Architecture {
  kGpt2,   ///< Radford et al., 2019; transformers' GPT2LMHeadModel.
  kLlama,  ///< Touvron et al., 2023; transformers' LlamaForCausalLM.
};

struct HuggingFaceModel {
  Architecture architecture = Architecture::kGpt2;
  nn::GptOptions options = {};
  int64_t bos_token = -1;                ///< The token that a text begins with; -1: none. Llama only.
  std::vector<int64_t> eos_tokens = {};  ///< Tokens that end a text.
  int64_t pad_token = -1;                ///< The token that fills up batches; -1: none.
};

/// Reads a config.json, which need not be trustworthy. Throws Error, beginning with `source`, on another architecture,
/// on a field that is missing, of another type or out of range, and, naming the field, on what no Gpt can compute.
HuggingFaceModel ParseHuggingFaceConfig(std::string_view json, const std::string& source);

/// Reads what a generation_config.json tells of the tokens that end a text, which wins over config.json. Throws Error
/// as ParseHuggingFaceConfig does.
void TakeGenerationConfig(std::string_view json, const std::string& source, HuggingFaceModel& model);

/// The architecture that computes what a Gpt of these options does. Throws Error that says which options neither has.
Architecture ArchitectureOf(const nn::GptOptions& options);

/// The config.json of a model with weights of `dtype`. ParseHuggingFaceConfig gives the same model again.
std::string ToHuggingFaceConfig(const HuggingFaceModel& model, DType dtype);

/// How the tensors of such a model are made of a Gpt's parameters. Those that are named in `theirs` may lack the prefix
/// "transformer." or "model.", as in files of the model without its head.
std::vector<TensorMatch> MatchesOf(const HuggingFaceModel& model, const std::vector<std::string>& theirs = {});

/// Whether a tensor holds nothing that is trained: the causal mask of old GPT-2 files, or rotary frequencies.
bool IsConstant(const std::string& theirs);

}  // namespace twofour::train
