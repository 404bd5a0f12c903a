#pragma once

#include "twofour/core/faults.h"
#include "twofour/core/ops/rotary.h"
#include "twofour/core/random.h"
#include "twofour/nn/init.h"
#include "twofour/nn/key_value_cache.h"
#include "twofour/nn/module.h"

namespace twofour::nn {

struct CausalSelfAttentionOptions {
  int64_t width = 0;
  int64_t heads = 1;
  int64_t kv_heads = 0;  ///< Key and value heads, each shared by heads / kv_heads query heads; 0: as many as heads.
  int64_t head_features = 0;  ///< Of each head, an even number; 0: width / heads.
  int64_t window = 0;         ///< A token sees this many tokens, itself included; 0: itself and all before it.
  bool bias = false;          ///< Of all four linears.
  bool rotary = true;         ///< False: the caller has put positions into x.
  RotaryOptions rotary_options = {};
  bool query_key_norm = true;
  LinearInit init = LinearInit::PyTorchDefault();
  LinearInit c_proj_init = LinearInit::PyTorchDefault();
};

/// The rules for "heads" (they divide the width into parts of even size), for "head_features" instead, if it is not 0
/// (an even size, and not too many in all heads), and for "kv_heads" (they divide the heads). The width, the heads and
/// the head_features that a rule gets must be positive.
void CheckHeads(int64_t width, int64_t heads, const FieldPath& at, Faults& faults);
void CheckHeadFeatures(int64_t heads, int64_t head_features, const FieldPath& at, Faults& faults);
void CheckKeyHeads(int64_t heads, int64_t kv_heads, const FieldPath& at, Faults& faults);

/// Rules: a positive width, positive heads, CheckHeads or CheckHeadFeatures, CheckKeyHeads, a window that is not
/// negative, and those of RotaryOptions.
void Check(const CausalSelfAttentionOptions& options, const FieldPath& at, Faults& faults);

/// Multi-head causal self-attention with linears c_q, c_k, c_v and c_proj. Unless they are turned off, it has rotary
/// position embeddings (Su et al., "RoFormer", 2021), then an RMS norm of each query and key ("QK norm": Henry et al.,
/// 2020). It has grouped-query heads (Ainslie et al., "GQA", 2023) and an optional sliding window (Beltagy et al.,
/// "Longformer", 2020).
class CausalSelfAttention : public Module {
 public:
  /// Throws Error on options that Check finds fault with.
  CausalSelfAttention(const CausalSelfAttentionOptions& options, Generator& generator);
  std::string_view type_name() const override { return "CausalSelfAttention"; }
  /// Both x and the result are [batch, T, width].
  Tensor Forward(const Tensor& x) override;
  /// The same for the T positions that follow those in the cache. Their keys and values go into the cache's layer
  /// number `layer`, which must be this module's. The cache is f32, which attention then computes in, or has the dtype
  /// of x. Does not change the cache's length. Records no graph. Throws Error if they do not fit.
  Tensor Forward(const Tensor& x, KeyValueCache& cache, size_t layer);

  int64_t kv_heads() const { return options_.kv_heads; }
  int64_t head_size() const { return options_.head_features; }

 private:
  void RequireSequences(const Tensor& x) const;
  /// The output of `c` as [batch, T, heads, head_size].
  Tensor Project(ModuleSlot& c, const Tensor& x, int64_t heads);
  /// `x`, rotated and normalised as far as the options say.
  Tensor WithPosition(const Tensor& x, int64_t first_position);
  Tensor Merge(const Tensor& y);

  CausalSelfAttentionOptions options_;
  ModuleSlot *c_q_, *c_k_, *c_v_, *c_proj_;
};

}  // namespace twofour::nn
