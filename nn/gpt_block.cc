#include "twofour/nn/gpt_block.h"

#include <fmt/format.h>

#include "twofour/core/error.h"
#include "twofour/core/ops/arithmetic.h"
#include "twofour/core/ops/norm.h"

namespace twofour::nn {

GptBlock::GptBlock(const CausalSelfAttentionOptions& attention, const MlpOptions& mlp, Generator& generator)
    : attn_(&RegisterModule("attn", std::make_unique<CausalSelfAttention>(attention, generator))),
      mlp_(&RegisterModule("mlp", std::make_unique<Mlp>(mlp, generator))) {}

CausalSelfAttention& GptBlock::attention() {
  if (auto* const attention = dynamic_cast<CausalSelfAttention*>(attn_->get())) return *attention;
  throw Error(fmt::format("GptBlock: attn is a {}, expected CausalSelfAttention", (*attn_)->type_name()));
}

Tensor GptBlock::AddMlp(const Tensor& x) { return Add(x, (*mlp_)->Forward(ops::RmsNorm(x))); }

Tensor GptBlock::Forward(const Tensor& x) { return AddMlp(Add(x, (*attn_)->Forward(ops::RmsNorm(x)))); }

Tensor GptBlock::Forward(const Tensor& x, KeyValueCache& cache, size_t layer) {
  return AddMlp(Add(x, attention().Forward(ops::RmsNorm(x), cache, layer)));
}

}  // namespace twofour::nn
