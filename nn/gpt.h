#pragma once

#include <memory>
#include <vector>

#include "twofour/core/faults.h"
#include "twofour/core/ops/rotary.h"
#include "twofour/core/random.h"
#include "twofour/nn/activation.h"
#include "twofour/nn/key_value_cache.h"
#include "twofour/nn/layers.h"
#include "twofour/nn/model.h"

namespace twofour::nn {

/// Standard deviations of a Gpt's first weights; 0 makes them zero.
struct GptInit {
  double embedding_std = 1.0;   ///< Token embedding, normal.
  double head_std = 0.001;      ///< lm_head, normal.
  double matrix_std = -1;       ///< Matrices inside blocks, uniform; negative: 1 / sqrt(width).
  double projection_std = 0.0;  ///< Both c_proj of a block, uniform. At 0 each block starts as the identity.
};

/// How a Gpt knows the positions of tokens.
enum class Positions {
  kRotary,   ///< Queries and keys turn: see Rotary.
  kLearned,  ///< An embedding `transformer.wpe` [learned_positions, width] is added to that of the tokens.
};

struct GptOptions {
  static constexpr int64_t kMostVocabSize = int64_t{1} << 20;
  int64_t vocab_size = 0;       ///< At most that many.
  int64_t sequence_length = 0;  ///< The most tokens that one token can see, itself included.
  int64_t depth = 0;            ///< Number of blocks.
  int64_t width = 0;            ///< 0: 64 * depth.
  int64_t heads = 0;            ///< 0: width / 64, at least 1.
  int64_t kv_heads = 0;         ///< 0: as many as heads.
  int64_t head_features = 0;    ///< Of each head, an even number; 0: width / heads.
  int64_t hidden_features = 0;  ///< Inside each MLP; 0: 4 width, with kSwiGlu 8/3 width rounded up to a multiple of 16.
  int64_t attention_window = 0;  ///< The most tokens that attention of one block sees; 0: sequence_length.
  Activation activation = Activation::kReluSquared;
  double soft_cap = 0;  ///< logits = soft_cap * tanh(logits / soft_cap). 0: no cap. Otherwise within these bounds:
  static constexpr double kLeastSoftCap = 1e-3, kMostSoftCap = 1e6;
  Positions positions = Positions::kRotary;
  int64_t learned_positions = 0;  ///< Only for kLearned: at least sequence_length; 0: sequence_length.
  RotaryOptions rotary = {};
  NormKind norm = NormKind::kRms;  ///< Of both norms of each block (`ln_1`, `ln_2`) and that before the head (`ln_f`).
  double norm_eps = 1e-6;
  bool embedding_norm = true;  ///< An RMS norm without a weight between embedding and blocks.
  bool query_key_norm = true;
  bool bias = false;       ///< Of all linears inside blocks.
  bool tied_head = false;  ///< lm_head uses the weight of the token embedding.
  GptInit init = {};
};

/// Rules: sizes are within bounds, heads divide the width unless head_features says how large they are, and a float can
/// work with the standard deviations, the cap, the base and eps. Rotary positions have the rules of RotaryOptions. The
/// constructor checks vocab_size, because it comes with the data.
void Check(const GptOptions& options, const FieldPath& at, Faults& faults);

/// The same options with every default filled in. Check must find no fault with them.
GptOptions Resolved(GptOptions options);

/// A language model: token embedding `transformer.wte`, blocks `transformer.h.N` of `attn` and `mlp`, a norm and a head
/// `lm_head` without a bias. By default it is like those of nanochat and modded-nanogpt (Karpathy; Jordan et al.).
/// Other options make it a GPT-2 (Radford et al., "Language Models are Unsupervised Multitask Learners", 2019) or a
/// Llama (Touvron et al., "LLaMA: Open and Efficient Foundation Language Models", 2023).
class Gpt : public Model {
 public:
  /// Throws Error on a vocabulary without tokens, and on options that Check finds fault with.
  Gpt(const GptOptions& options, Generator& generator);
  std::string_view type_name() const override { return "Gpt"; }

  /// tokens i32 [batch, T], each in [0, vocab_size); result: logits [batch, T, vocab_size]. With learned positions,
  /// throws Error if T is more than learned_positions.
  Tensor Forward(const Tensor& tokens) override;
  /// The mean cross-entropy, in nats, of `targets` i32 [batch, T], which are the tokens that follow. It is
  /// CrossEntropyLoss of Forward, but never holds all logits at once. f32 whatever activations are.
  /// Throws Error if there are no tokens: the mean of nothing is undefined.
  Tensor Loss(const Tensor& tokens, const Tensor& targets);

  /// A cache with room for `capacity` tokens of each of `batch` sequences, in the dtype of activations.
  KeyValueCache MakeCache(int64_t batch, int64_t capacity);
  /// Reads the next n tokens of each sequence, i32 [batch, n], into the cache, and returns the logits
  /// [batch, vocab_size] that follow the last of them. Records no graph. They equal, within rounding, the last logits
  /// of Forward over everything read so far. If the cache is full, tokens beyond the reach of attention are dropped, so
  /// a cache for attention_window - 1 + n tokens is never too small. Throws Error if the tokens do not fit even then,
  /// and where learned positions end.
  /// Several threads may decode at once, each with its own cache.
  Tensor Decode(const Tensor& tokens, KeyValueCache& cache);

  const GptOptions& options() const { return options_; }
  /// Floating-point operations of training on one token. Counts six for each weight of a matrix product (two forward,
  /// four backward), and attention's products over the average number of tokens that a token of a sequence of
  /// `sequence_length` sees. Sparse layers count as dense ones. Embeddings do not count.
  double TrainingFlopsPerToken();

 private:
  /// The tokens are at positions from `first_position` on.
  Tensor Embed(const Tensor& tokens, int64_t first_position);
  Tensor Head(const Tensor& x);
  std::unique_ptr<Module> MakeHead(Generator& generator);

  GptOptions options_;
  ModuleSlot *wte_, *wpe_ = nullptr;
  std::vector<ModuleSlot*> blocks_;
  ModuleSlot *ln_f_, *lm_head_;
};

}  // namespace twofour::nn
