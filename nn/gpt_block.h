#pragma once

#include "twofour/nn/causal_self_attention.h"
#include "twofour/nn/mlp.h"
#include "twofour/nn/module.h"

namespace twofour::nn {

/// One transformer block with pre-norm: x + attn(norm(x)), then x + mlp(norm(x)). Both norms are RMS norms without
/// weights.
class GptBlock : public Module {
 public:
  GptBlock(const CausalSelfAttentionOptions& attention, const MlpOptions& mlp, Generator& generator);
  std::string_view type_name() const override { return "GptBlock"; }
  /// Both x and the result are [batch, T, width].
  Tensor Forward(const Tensor& x) override;
  /// See CausalSelfAttention.
  Tensor Forward(const Tensor& x, KeyValueCache& cache, size_t layer);

  /// Throws Error if `attn` was replaced by another kind of module.
  CausalSelfAttention& attention();

 private:
  Tensor AddMlp(const Tensor& x);

  ModuleSlot *attn_, *mlp_;
};

}  // namespace twofour::nn
