#include "twofour/nn/gpt.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>

#include "twofour/core/autograd.h"
#include "twofour/core/error.h"
#include "twofour/core/ops/activation.h"
#include "twofour/core/ops/arithmetic.h"
#include "twofour/core/ops/cast.h"
#include "twofour/core/ops/layout.h"
#include "twofour/core/ops/linear_cross_entropy.h"
#include "twofour/core/ops/loss.h"
#include "twofour/core/ops/norm.h"
#include "twofour/nn/forward_observer.h"
#include "twofour/nn/gpt_block.h"
#include "twofour/nn/layers.h"
#include "twofour/nn/linear.h"

namespace twofour::nn {
namespace {

int64_t WidthOf(const GptOptions& options) {
  return options.width == 0 ? 64 * std::clamp(options.depth, -kMaxFeatures, kMaxFeatures) : options.width;
}

int64_t HeadsOf(const GptOptions& options) {
  return options.heads == 0 ? std::max<int64_t>(WidthOf(options) / 64, 1) : options.heads;
}

GptOptions CheckedAndResolved(const GptOptions& options) {
  Faults faults("Gpt: ");
  faults.Expect(options.vocab_size >= 1, "vocab_size", options.vocab_size, "at least 1");
  Check(options, {}, faults);
  faults.Throw();
  return Resolved(options);
}

/// Checks that heads divide the width or have a size of their own, and that key heads divide the heads.
void CheckWidthAndHeads(const GptOptions& options, const FieldPath& at, Faults& faults) {
  const int64_t width = WidthOf(options), heads = HeadsOf(options);
  if (options.width == 0 && !faults.IsSound(at("depth"))) return;
  faults.Expect(width >= 1, at("width"), width, "a positive width, or a depth above 0 to derive it from");
  if (!faults.IsSound(at("width")) || !faults.IsSound(at("heads")) || !faults.IsSound(at("head_features"))) return;
  if (options.head_features > 0) {
    CheckHeadFeatures(heads, options.head_features, at, faults);
  } else if (options.heads > 0) {
    CheckHeads(width, heads, at, faults);
  } else {  // The width decides the heads, so it is what is wrong.
    faults.Expect(width % 2 == 0, at("width"), width, "an even number: rotary positions turn pairs");
    faults.Expect(width % (2 * heads) == 0, at("width"), width, "a multiple of 64, or heads that divide it");
  }
  if (!faults.IsSound(at("width")) || !faults.IsSound(at("heads"))) return;
  CheckKeyHeads(heads, options.kv_heads == 0 ? heads : options.kv_heads, at, faults);
}

void Check(const GptInit& init, const FieldPath& at, Faults& faults) {
  constexpr double kMaxStd = 1e6;  // A float holds squares of it, and sums of many of them.
  faults.Between(at("embedding_std"), init.embedding_std, 0, kMaxStd);
  faults.Between(at("head_std"), init.head_std, 0, kMaxStd);
  faults.Between(at("matrix_std"), init.matrix_std, -kMaxStd, kMaxStd);
  faults.Between(at("projection_std"), init.projection_std, 0, kMaxStd);
}

/// A module that only names its children: `transformer`.
class Namespace : public Module {
 public:
  std::string_view type_name() const override { return "Namespace"; }
  Tensor Forward(const Tensor& x) override { return x; }
  ModuleSlot* Add(std::string name, std::unique_ptr<Module> module) {
    return &RegisterModule(std::move(name), std::move(module));
  }
};

void RequireTokens(const char* what, const Tensor& tokens) {
  if (!tokens.defined() || tokens.dtype() != DType::kI32 || tokens.rank() != 2) {
    throw Error(fmt::format("Gpt: {} {}, expected i32 [batch, T]", what, Describe(tokens)));
  }
}

/// Decoding needs what only a GptBlock has.
GptBlock& BlockIn(ModuleSlot& slot) {
  if (auto* const block = dynamic_cast<GptBlock*>(slot.get())) return *block;
  throw Error(fmt::format("Gpt: {} is a {}, expected GptBlock", slot.name(), slot->type_name()));
}

/// The last of T rows of each sequence: x [batch, T, width], result [batch, 1, width].
Tensor LastRows(const Tensor& x) {
  const int64_t batch = x.dim(0), length = x.dim(1), width = x.dim(2);
  Tensor last = Tensor::Empty({batch, 1, width}, x.dtype());
  const auto row = static_cast<int64_t>(SizeOf(x.dtype())) * width;  // In bytes.
  std::byte* out = last.mutable_raw();
  for (int64_t b = 0; b < batch; ++b) std::copy_n(x.raw() + ((b + 1) * length - 1) * row, row, out + b * row);
  return last;
}

}  // namespace

void Check(const GptOptions& options, const FieldPath& at, Faults& faults) {
  faults.InRange(at("depth"), options.depth, 0, 1000);
  faults.InRange(at("width"), options.width, 0, kMaxFeatures);
  faults.InRange(at("hidden_features"), options.hidden_features, 0, kMaxFeatures);
  faults.InRange(at("sequence_length"), options.sequence_length, 1, kMaxFeatures);
  faults.InRange(at("attention_window"), options.attention_window, 0, kMaxFeatures);
  constexpr double kLeastCap = GptOptions::kLeastSoftCap, kMostCap = GptOptions::kMostSoftCap;
  faults.Expect(options.soft_cap == 0 || (options.soft_cap >= kLeastCap && options.soft_cap <= kMostCap),
                at("soft_cap"), options.soft_cap, fmt::format("0 or {} to {}", kLeastCap, kMostCap));
  faults.Expect(options.rotary.base > 1 && options.rotary.base <= 1e12, at.In("rotary")("base"), options.rotary.base,
                "a number above 1, at most 1e12");
  Check(options.rotary, at.In("rotary"), faults);
  faults.FloatAtLeast(at("norm_eps"), options.norm_eps, 0);
  const int64_t length = options.positions == Positions::kLearned ? options.sequence_length : 0;
  faults.Expect(options.learned_positions == 0 ||
                    (options.learned_positions >= length && options.learned_positions <= kMaxFeatures),
                at("learned_positions"), options.learned_positions,
                fmt::format("0, or {} (sequence_length) to {}", length, kMaxFeatures));
  Check(options.init, at.In("init"), faults);
  faults.Expect(options.heads >= 0, at("heads"), options.heads, "at least 0");
  faults.Expect(options.kv_heads >= 0, at("kv_heads"), options.kv_heads, "at least 0");
  faults.InRange(at("head_features"), options.head_features, 0, kMaxFeatures);
  CheckWidthAndHeads(options, at, faults);
}

GptOptions Resolved(GptOptions options) {
  options.heads = HeadsOf(options);
  options.width = WidthOf(options);
  if (options.head_features == 0) options.head_features = options.width / options.heads;
  if (options.learned_positions == 0) options.learned_positions = options.sequence_length;
  if (options.attention_window == 0) options.attention_window = options.sequence_length;
  options.attention_window = std::min(options.attention_window, options.sequence_length);
  if (options.hidden_features == 0) {
    const bool gated = options.activation == Activation::kSwiGlu;
    options.hidden_features = gated ? (8 * options.width + 47) / 48 * 16 : 4 * options.width;
  }
  if (options.init.matrix_std < 0) options.init.matrix_std = 1.0 / std::sqrt(static_cast<double>(options.width));
  return options;
}

Gpt::Gpt(const GptOptions& options, Generator& generator) : options_(CheckedAndResolved(options)) {
  const GptInit& init = options_.init;
  auto transformer = std::make_unique<Namespace>();
  wte_ = transformer->Add(
      "wte", std::make_unique<Embedding>(options_.vocab_size, options_.width, generator, init.embedding_std));
  if (options_.positions == Positions::kLearned) {
    wpe_ = transformer->Add(
        "wpe", std::make_unique<Embedding>(options_.learned_positions, options_.width, generator, init.embedding_std));
  }
  const CausalSelfAttentionOptions attention{.width = options_.width,
                                             .heads = options_.heads,
                                             .kv_heads = options_.kv_heads,
                                             .head_features = options_.head_features,
                                             .window = options_.attention_window,
                                             .bias = options_.bias,
                                             .rotary = options_.positions == Positions::kRotary,
                                             .rotary_options = options_.rotary,
                                             .query_key_norm = options_.query_key_norm,
                                             .init = LinearInit::Uniform(init.matrix_std),
                                             .c_proj_init = LinearInit::Uniform(init.projection_std)};
  const MlpOptions mlp{.in_features = options_.width,
                       .hidden_features = options_.hidden_features,
                       .out_features = options_.width,
                       .bias = options_.bias,
                       .activation = options_.activation,
                       .c_fc_init = LinearInit::Uniform(init.matrix_std),
                       .c_proj_init = LinearInit::Uniform(init.projection_std)};
  const GptBlockOptions block{.attention = attention, .mlp = mlp, .norm = options_.norm, .norm_eps = options_.norm_eps};
  for (int64_t i = 0; i < options_.depth; ++i) {
    blocks_.push_back(transformer->Add(fmt::format("h.{}", i), std::make_unique<GptBlock>(block, generator)));
  }
  ln_f_ = transformer->Add("ln_f", MakeNorm(options_.norm, options_.width, options_.norm_eps));
  RegisterModule("transformer", std::move(transformer));
  lm_head_ = &RegisterModule("lm_head", MakeHead(generator));
}

std::unique_ptr<Module> Gpt::MakeHead(Generator& generator) {
  if (options_.tied_head) return std::make_unique<Linear>((*wte_)->Parameters().front(), Tensor());
  const LinearOptions head{.in_features = options_.width,
                           .out_features = options_.vocab_size,
                           .bias = false,
                           .init = LinearInit::Normal(options_.init.head_std)};
  return std::make_unique<Linear>(head, generator);
}

Tensor Gpt::Embed(const Tensor& tokens, int64_t first_position) {
  RequireTokens("tokens", tokens);
  Tensor x = (*wte_)->Forward(tokens);
  if (wpe_ != nullptr) {
    const int64_t length = tokens.dim(1);
    if (length > options_.learned_positions - first_position) {
      throw Error(fmt::format("Gpt: {} tokens after {}, but its learned positions end at {}", length, first_position,
                              options_.learned_positions));
    }
    Tensor positions = Tensor::Empty({length}, DType::kI32);
    std::iota(positions.mutable_data<int32_t>(), positions.mutable_data<int32_t>() + length,
              static_cast<int32_t>(first_position));
    x = Add(x, (*wpe_)->Forward(positions));
  }
  x = FromInput(x);
  return options_.embedding_norm ? ops::RmsNorm(x) : x;
}

Tensor Gpt::Head(const Tensor& x) {
  const Tensor logits = Logits(**lm_head_, (*ln_f_)->Forward(x));
  return options_.soft_cap > 0 ? SoftCap(logits, options_.soft_cap) : logits;
}

Tensor Gpt::Forward(const Tensor& tokens) {
  Tensor x = Embed(tokens, 0);
  for (ModuleSlot* block : blocks_) x = (*block)->Forward(x);
  return Head(x);
}

Tensor Gpt::Loss(const Tensor& tokens, const Tensor& targets) {
  RequireTokens("tokens", tokens);
  RequireTokens("targets", targets);
  if (tokens.shape() != targets.shape() || tokens.numel() == 0) {
    throw Error(fmt::format("Gpt: targets {} for tokens {}, expected equal shapes and at least one token",
                            ToString(targets.shape()), ToString(tokens.shape())));
  }
  Tensor x = Embed(tokens, 0);
  for (ModuleSlot* block : blocks_) x = (*block)->Forward(x);
  if (const auto* head = dynamic_cast<const Linear*>(lm_head_->get())) {
    const Tensor input = (*ln_f_)->Forward(x);
    ObserveLinear(*head, input);
    return LinearCrossEntropy(input, head->weight(), targets, {.soft_cap = options_.soft_cap});
  }
  // The head was swapped.
  Tensor logits = Reshape(Head(x), {-1, options_.vocab_size});
  if (IsHalf(logits.dtype())) logits = Cast(logits, DType::kF32);
  return CrossEntropyLoss(logits, targets.View({targets.numel()}));
}

KeyValueCache Gpt::MakeCache(int64_t batch, int64_t capacity) {
  if (batch < 1 || capacity < 1) {
    throw Error(fmt::format("Gpt: a cache for {} sequences of {} tokens, both must be positive", batch, capacity));
  }
  KeyValueCache cache{.layers = {}, .capacity = capacity};
  for (ModuleSlot* slot : blocks_) {
    const CausalSelfAttention& attention = BlockIn(*slot).attention();
    const Shape shape{batch, capacity, attention.kv_heads(), attention.head_size()};
    cache.layers.push_back({Tensor::Zeros(shape, activation_dtype()), Tensor::Zeros(shape, activation_dtype())});
  }
  return cache;
}

Tensor Gpt::Decode(const Tensor& tokens, KeyValueCache& cache) {
  RequireTokens("tokens", tokens);
  const int64_t count = tokens.dim(1), seen_before = options_.attention_window - 1;
  if (count > cache.capacity - cache.rows()) cache.DropAllBut(seen_before);
  if (cache.layers.size() != blocks_.size() || count < 1 || count > cache.capacity - cache.rows()) {
    throw Error(fmt::format("Gpt: {} tokens after {} do not fit into a cache of {} layers for {} tokens",
                            ToString(tokens.shape()), cache.length, cache.layers.size(), cache.capacity));
  }
  const NoGradGuard no_grad;
  Tensor x = Embed(tokens, cache.length);
  for (size_t i = 0; i < blocks_.size(); ++i) x = BlockIn(*blocks_[i]).Forward(x, cache, i);
  cache.length += count;
  return Head(LastRows(x)).View({tokens.dim(0), options_.vocab_size});
}

double Gpt::TrainingFlopsPerToken() {
  double weights = 0;
  for (const NamedTensor& parameter : NamedParameters()) {
    const bool looked_up = parameter.name == "transformer.wte.weight" || parameter.name == "transformer.wpe.weight";
    if (!looked_up && parameter.tensor.rank() == 2) weights += static_cast<double>(parameter.tensor.numel());
  }
  // The token at position t sees min(t + 1, window) tokens.
  const auto length = static_cast<double>(options_.sequence_length);
  const auto window = static_cast<double>(options_.attention_window);
  const double seen = (window * (window + 1) / 2 + (length - window) * window) / length;
  return 6 * weights + 12 * static_cast<double>(options_.depth * options_.heads * options_.head_features) * seen;
}

}  // namespace twofour::nn
