#include "twofour/train/exchange/hugging_face.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/core/faults.h"
#include "twofour/core/io/json.h"
#include "twofour/core/quote_for_message.h"
#include "twofour/train/exchange/config_fields.h"

namespace twofour::train {
namespace {

constexpr std::pair<std::string_view, nn::Activation> kActivations[] = {
    {"gelu_new", nn::Activation::kGeluTanh}, {"gelu_pytorch_tanh", nn::Activation::kGeluTanh},
    {"gelu", nn::Activation::kGelu},         {"relu", nn::Activation::kRelu},
    {"relu2", nn::Activation::kReluSquared},
};

/// The tokens that are in the vocabulary. A model never draws others, such as transformers' defaults beside a small
/// one.
std::vector<int64_t> Known(std::vector<int64_t> tokens, const HuggingFaceModel& model) {
  std::erase_if(tokens, [&](int64_t token) { return token < 0 || token >= model.options.vocab_size; });
  return tokens;
}

HuggingFaceModel ParseGpt2(const ConfigFields& fields) {
  HuggingFaceModel model{.architecture = Architecture::kGpt2};
  nn::GptOptions& options = model.options;
  options = {.vocab_size = fields.Integer("vocab_size"),
             .sequence_length = fields.Integer("n_positions", fields.Integer("n_ctx", 1024)),
             .depth = fields.Integer("n_layer"),
             .width = fields.Integer("n_embd"),
             .heads = fields.Integer("n_head"),
             .hidden_features = fields.Integer("n_inner", 0),
             .positions = nn::Positions::kLearned,
             .norm = nn::NormKind::kLayer,
             .norm_eps = fields.Number("layer_norm_epsilon", 1e-5),
             .embedding_norm = false,
             .query_key_norm = false,
             .bias = true,
             .tied_head = fields.Boolean("tie_word_embeddings", true)};
  const std::string activation = fields.Text("activation_function", "gelu_new");
  const auto found = std::ranges::find(kActivations, activation, &std::pair<std::string_view, nn::Activation>::first);
  if (found == std::end(kActivations)) {
    fields.Fail("activation_function", fmt::format("is {}, expected gelu_new, gelu_pytorch_tanh, gelu, relu or relu2",
                                                   QuoteForMessage(activation)));
  }
  options.activation = found->second;
  fields.RequireOnly("scale_attn_weights", true);
  fields.RequireOnly("scale_attn_by_inverse_layer_idx", false);
  fields.RequireOnly("add_cross_attention", false);
  return model;
}

/// `fields` are those of rope_scaling or rope_parameters.
RotaryScaling ParseScaling(const ConfigFields& fields) {
  const std::string type = fields.Text("rope_type", fields.Text("type", "default"));
  if (type == "default") return {};
  if (type != "linear" && type != "llama3") {
    fields.Fail("rope_type", fmt::format("is {}, expected default, linear or llama3", QuoteForMessage(type)));
  }
  RotaryScaling scaling{.factor = fields.Number("factor")};
  if (type == "linear") return scaling;
  scaling.low_frequency_factor = fields.Number("low_freq_factor");
  scaling.high_frequency_factor = fields.Number("high_freq_factor");
  scaling.original_length = fields.Integer("original_max_position_embeddings");
  if (scaling.original_length < 1) fields.Fail("original_max_position_embeddings", "is below 1");
  return scaling;
}

HuggingFaceModel ParseLlama(const ConfigFields& fields) {
  HuggingFaceModel model{.architecture = Architecture::kLlama, .bos_token = fields.Integer("bos_token_id", -1)};
  nn::GptOptions& options = model.options;
  options = {.vocab_size = fields.Integer("vocab_size"),
             .sequence_length = fields.Integer("max_position_embeddings", 2048),
             .depth = fields.Integer("num_hidden_layers"),
             .width = fields.Integer("hidden_size"),
             .heads = fields.Integer("num_attention_heads"),
             .kv_heads = fields.Integer("num_key_value_heads", 0),
             .head_features = fields.Integer("head_dim", 0),
             .hidden_features = fields.Integer("intermediate_size"),
             .activation = nn::Activation::kSwiGlu,
             .rotary = {.base = fields.Number("rope_theta", 10000), .counterclockwise = true},
             .norm = nn::NormKind::kWeightedRms,
             .norm_eps = fields.Number("rms_norm_eps", 1e-6),
             .embedding_norm = false,
             .query_key_norm = false,
             .tied_head = fields.Boolean("tie_word_embeddings", false)};
  // transformers 5 has rope_parameters. Where a file has both, rope_scaling counts there, too.
  for (const char* const name : {"rope_parameters", "rope_scaling"}) {
    const std::optional<ConfigFields> rope = fields.Object(name);
    if (!rope) continue;
    options.rotary.base = rope->Number("rope_theta", options.rotary.base);
    options.rotary.scaling = ParseScaling(*rope);
  }
  RotaryScaling& scaling = options.rotary.scaling;
  if (scaling.original_length != 0) {
    scaling.original_length = fields.Integer("original_max_position_embeddings", scaling.original_length);
    if (scaling.original_length < 1) fields.Fail("original_max_position_embeddings", "is below 1");
  }
  if (const std::string activation = fields.Text("hidden_act", "silu"); activation != "silu") {
    fields.Fail("hidden_act", fmt::format("is {}, expected silu", QuoteForMessage(activation)));
  }
  fields.RequireOnly("attention_bias", false);
  fields.RequireOnly("mlp_bias", false);
  return model;
}

/// A tensor of each block. "{}" stands for the block's number.
struct NameRow {
  const char* theirs;
  std::vector<const char*> ours;
  bool transposed = false;
};

// GPT-2's matrices are those of its Conv1D layers, [in, out].
const std::vector<NameRow>& Gpt2Blocks() {
  static const std::vector<NameRow> rows = {
      {"h.{}.ln_1.weight", {"h.{}.ln_1.weight"}},
      {"h.{}.ln_1.bias", {"h.{}.ln_1.bias"}},
      {"h.{}.attn.c_attn.weight", {"h.{}.attn.c_q.weight", "h.{}.attn.c_k.weight", "h.{}.attn.c_v.weight"}, true},
      {"h.{}.attn.c_attn.bias", {"h.{}.attn.c_q.bias", "h.{}.attn.c_k.bias", "h.{}.attn.c_v.bias"}},
      {"h.{}.attn.c_proj.weight", {"h.{}.attn.c_proj.weight"}, true},
      {"h.{}.attn.c_proj.bias", {"h.{}.attn.c_proj.bias"}},
      {"h.{}.ln_2.weight", {"h.{}.ln_2.weight"}},
      {"h.{}.ln_2.bias", {"h.{}.ln_2.bias"}},
      {"h.{}.mlp.c_fc.weight", {"h.{}.mlp.c_fc.weight"}, true},
      {"h.{}.mlp.c_fc.bias", {"h.{}.mlp.c_fc.bias"}},
      {"h.{}.mlp.c_proj.weight", {"h.{}.mlp.c_proj.weight"}, true},
      {"h.{}.mlp.c_proj.bias", {"h.{}.mlp.c_proj.bias"}},
  };
  return rows;
}

const std::vector<NameRow>& LlamaBlocks() {
  static const std::vector<NameRow> rows = {
      {"layers.{}.input_layernorm.weight", {"h.{}.ln_1.weight"}},
      {"layers.{}.self_attn.q_proj.weight", {"h.{}.attn.c_q.weight"}},
      {"layers.{}.self_attn.k_proj.weight", {"h.{}.attn.c_k.weight"}},
      {"layers.{}.self_attn.v_proj.weight", {"h.{}.attn.c_v.weight"}},
      {"layers.{}.self_attn.o_proj.weight", {"h.{}.attn.c_proj.weight"}},
      {"layers.{}.post_attention_layernorm.weight", {"h.{}.ln_2.weight"}},
      {"layers.{}.mlp.gate_proj.weight", {"h.{}.mlp.c_gate.weight"}},
      {"layers.{}.mlp.up_proj.weight", {"h.{}.mlp.c_fc.weight"}},
      {"layers.{}.mlp.down_proj.weight", {"h.{}.mlp.c_proj.weight"}},
  };
  return rows;
}

std::string InBlock(const char* name, int64_t block) { return fmt::format(fmt::runtime(name), block); }

}  // namespace

HuggingFaceModel ParseHuggingFaceConfig(std::string_view json, const std::string& source) {
  const JsonDocument document = ParseConfigObject(json, source);
  const ConfigFields fields(document.root(), source);
  const std::string type = fields.Text("model_type");
  if (type != "gpt2" && type != "llama") {
    fields.Fail("model_type", fmt::format("is {}, expected gpt2 or llama", QuoteForMessage(type)));
  }
  HuggingFaceModel model = type == "gpt2" ? ParseGpt2(fields) : ParseLlama(fields);
  model.eos_tokens = Known(fields.Integers("eos_token_id"), model);
  if (!Known({fields.Integer("pad_token_id", -1)}, model).empty()) model.pad_token = fields.Integer("pad_token_id");
  Faults faults(source + ": ");
  faults.InRange("vocab_size", model.options.vocab_size, 1, nn::GptOptions::kMostVocabSize);
  if (faults.IsSound("vocab_size")) faults.InRange("bos_token_id", model.bos_token, -1, model.options.vocab_size - 1);
  Check(model.options,
        type == "gpt2" ? FieldPath("", {{"depth", "n_layer"},
                                        {"width", "n_embd"},
                                        {"heads", "n_head"},
                                        {"hidden_features", "n_inner"},
                                        {"sequence_length", "n_positions"},
                                        {"norm_eps", "layer_norm_epsilon"}})
                       : FieldPath("", {{"depth", "num_hidden_layers"},
                                        {"width", "hidden_size"},
                                        {"heads", "num_attention_heads"},
                                        {"kv_heads", "num_key_value_heads"},
                                        {"head_features", "head_dim"},
                                        {"hidden_features", "intermediate_size"},
                                        {"sequence_length", "max_position_embeddings"},
                                        {"norm_eps", "rms_norm_eps"},
                                        {"rotary", ""},
                                        {"base", "rope_theta"},
                                        {"scaling", "rope_scaling"}}),
        faults);
  faults.Throw();
  model.options = nn::Resolved(model.options);
  return model;
}

void TakeGenerationConfig(std::string_view json, const std::string& source, HuggingFaceModel& model) {
  const JsonDocument document = ParseConfigObject(json, source);
  const std::vector<int64_t> eos_tokens = Known(ConfigFields(document.root(), source).Integers("eos_token_id"), model);
  if (!eos_tokens.empty()) model.eos_tokens = eos_tokens;
}

Architecture ArchitectureOf(const nn::GptOptions& given) {
  const nn::GptOptions options = nn::Resolved(given);
  std::vector<std::string> neither;
  if (options.embedding_norm) neither.emplace_back("embedding_norm");
  if (options.query_key_norm) neither.emplace_back("query_key_norm");
  if (options.soft_cap != 0) neither.emplace_back("soft_cap");
  if (options.attention_window < options.sequence_length) neither.emplace_back("attention_window");
  if (!neither.empty()) {
    throw Error(fmt::format("neither GPT-2 nor Llama has {}, which the model has", fmt::join(neither, ", ")));
  }
  std::vector<std::string> not_gpt2, not_llama;
  const bool rotary = options.positions == nn::Positions::kRotary,
             gated = options.activation == nn::Activation::kSwiGlu;
  if (rotary) not_gpt2.emplace_back("rotary positions");
  if (options.norm != nn::NormKind::kLayer) not_gpt2.emplace_back("no layer norms");
  if (!options.bias) not_gpt2.emplace_back("no biases");
  if (options.kv_heads != 0 && options.kv_heads != options.heads) not_gpt2.emplace_back("fewer kv_heads than heads");
  if (options.heads * options.head_features != options.width) {
    not_gpt2.push_back(fmt::format("heads of {} features, which are not width / heads", options.head_features));
  }
  if (gated) not_gpt2.emplace_back("SWIGLU");
  if (!rotary) not_llama.emplace_back("learned positions");
  if (rotary && !options.rotary.counterclockwise) not_llama.emplace_back("rotary positions that turn clockwise");
  if (options.norm != nn::NormKind::kWeightedRms) not_llama.emplace_back("no RMS norms with weights");
  if (options.bias) not_llama.emplace_back("biases");
  if (!gated) not_llama.emplace_back("no SWIGLU");
  if (not_gpt2.empty()) return Architecture::kGpt2;
  if (not_llama.empty()) return Architecture::kLlama;
  throw Error(fmt::format("the model is no GPT-2, because it has {}, and no Llama, because it has {}",
                          fmt::join(not_gpt2, ", "), fmt::join(not_llama, ", ")));
}

std::string ToHuggingFaceConfig(const HuggingFaceModel& model, DType dtype) {
  const nn::GptOptions options = nn::Resolved(model.options);
  const std::string torch_dtype = dtype == DType::kF16 ? "float16" : dtype == DType::kBF16 ? "bfloat16" : "float32";
  JsonObject config;
  if (model.architecture == Architecture::kGpt2) {
    const auto activation =
        std::ranges::find(kActivations, options.activation, &std::pair<std::string_view, nn::Activation>::second);
    config.Set("architectures", std::vector<std::string>{"GPT2LMHeadModel"})
        .Set("model_type", "gpt2")
        .Set("vocab_size", options.vocab_size)
        .Set("n_positions", options.learned_positions)
        .Set("n_ctx", options.learned_positions)
        .Set("n_embd", options.width)
        .Set("n_layer", options.depth)
        .Set("n_head", options.heads)
        .Set("n_inner", options.hidden_features)
        .Set("activation_function", activation->first)
        .Set("layer_norm_epsilon", options.norm_eps);
    // transformers assumes tokens of GPT-2's vocabulary where these are missing. There, the last one is both.
    const int64_t end = model.eos_tokens.empty() ? options.vocab_size - 1 : model.eos_tokens.front();
    config.Set("bos_token_id", end);
    if (model.eos_tokens.empty()) config.Set("eos_token_id", end);
  } else {
    config.Set("architectures", std::vector<std::string>{"LlamaForCausalLM"})
        .Set("model_type", "llama")
        .Set("vocab_size", options.vocab_size)
        .Set("max_position_embeddings", options.sequence_length)
        .Set("hidden_size", options.width)
        .Set("num_hidden_layers", options.depth)
        .Set("num_attention_heads", options.heads)
        .Set("num_key_value_heads", options.kv_heads == 0 ? options.heads : options.kv_heads)
        .Set("intermediate_size", options.hidden_features)
        .Set("hidden_act", "silu")
        .Set("rms_norm_eps", options.norm_eps)
        .Set("rope_theta", options.rotary.base)
        .Set("attention_bias", false)
        .Set("mlp_bias", false);
    if (options.heads * options.head_features != options.width) config.Set("head_dim", options.head_features);
    const RotaryScaling& scaling = options.rotary.scaling;
    if (scaling.factor != 1 && scaling.original_length == 0) {
      config.Set("rope_scaling", JsonObject().Set("rope_type", "linear").Set("factor", scaling.factor));
    } else if (scaling.factor != 1) {
      config.Set("rope_scaling", JsonObject()
                                     .Set("rope_type", "llama3")
                                     .Set("factor", scaling.factor)
                                     .Set("low_freq_factor", scaling.low_frequency_factor)
                                     .Set("high_freq_factor", scaling.high_frequency_factor)
                                     .Set("original_max_position_embeddings", scaling.original_length));
    }
    if (model.bos_token >= 0) config.Set("bos_token_id", model.bos_token);
  }
  if (model.eos_tokens.size() == 1) config.Set("eos_token_id", model.eos_tokens.front());
  if (model.eos_tokens.size() > 1) config.Set("eos_token_id", model.eos_tokens);
  if (model.pad_token >= 0) config.Set("pad_token_id", model.pad_token);
  config.Set("tie_word_embeddings", options.tied_head).Set("torch_dtype", torch_dtype);
  return config.ToText(2) + "\n";
}

std::vector<TensorMatch> MatchesOf(const HuggingFaceModel& model, const std::vector<std::string>& theirs) {
  const bool gpt2 = model.architecture == Architecture::kGpt2;
  const std::string prefix = gpt2 ? "transformer." : "model.", embedding = gpt2 ? "wte.weight" : "embed_tokens.weight";
  const std::set<std::string> names(theirs.begin(), theirs.end());
  const std::string begin = names.contains(embedding) ? "" : prefix;
  std::vector<TensorMatch> matches = {{begin + embedding, {"transformer.wte.weight"}}};
  if (gpt2) matches.push_back({begin + "wpe.weight", {"transformer.wpe.weight"}});
  for (int64_t block = 0; block < model.options.depth; ++block) {
    for (const NameRow& row : gpt2 ? Gpt2Blocks() : LlamaBlocks()) {
      TensorMatch match{.theirs = begin + InBlock(row.theirs, block), .ours = {}, .transposed = row.transposed};
      for (const char* const ours : row.ours) match.ours.push_back("transformer." + InBlock(ours, block));
      matches.push_back(std::move(match));
    }
  }
  matches.push_back({begin + (gpt2 ? "ln_f.weight" : "norm.weight"), {"transformer.ln_f.weight"}});
  if (gpt2) matches.push_back({begin + "ln_f.bias", {"transformer.ln_f.bias"}});
  // A file with a tied head may hold the embedding's weight once more.
  if (!model.options.tied_head || names.contains("lm_head.weight")) {
    matches.push_back({"lm_head.weight", {"lm_head.weight"}});
  }
  return matches;
}

bool IsConstant(const std::string& theirs) {
  return theirs.ends_with(".attn.bias") || theirs.ends_with(".attn.masked_bias") ||
         theirs.ends_with(".rotary_emb.inv_freq");
}

}  // namespace twofour::train
