#pragma once

#include "twofour/nn/causal_self_attention.h"
#include "twofour/nn/layers.h"
#include "twofour/nn/mlp.h"
#include "twofour/nn/module.h"

namespace twofour::nn {

struct GptBlockOptions {
  CausalSelfAttentionOptions attention;
  MlpOptions mlp;
  NormKind norm = NormKind::kRms;
  double norm_eps = 1e-6;
};

/// One transformer block with pre-norm: x + attn(ln_1(x)), then x + mlp(ln_2(x)).
class GptBlock : public Module {
 public:
  GptBlock(const GptBlockOptions& options, Generator& generator);
  std::string_view type_name() const override { return "GptBlock"; }
  /// Both x and the result are [batch, T, width].
  Tensor Forward(const Tensor& x) override;
  /// See CausalSelfAttention.
  Tensor Forward(const Tensor& x, KeyValueCache& cache, size_t layer);

  /// Throws Error if `attn` was replaced by another kind of module.
  CausalSelfAttention& attention();

 private:
  /// The block's result for x, whose attention gave `attended`.
  Tensor Finish(const Tensor& x, const Tensor& attended);

  ModuleSlot *ln_1_, *attn_, *ln_2_, *mlp_;
};

}  // namespace twofour::nn
