#include "twofour/nn/gpt_block.h"

#include <fmt/format.h>

#include "twofour/core/error.h"
#include "twofour/core/ops/arithmetic.h"
#include "twofour/nn/forward_observer.h"

namespace twofour::nn {

GptBlock::GptBlock(const GptBlockOptions& options, Generator& generator) {
  const auto norm = [&] { return MakeNorm(options.norm, options.attention.width, options.norm_eps); };
  ln_1_ = &RegisterModule("ln_1", norm());
  attn_ = &RegisterModule("attn", std::make_unique<CausalSelfAttention>(options.attention, generator));
  ln_2_ = &RegisterModule("ln_2", norm());
  mlp_ = &RegisterModule("mlp", std::make_unique<Mlp>(options.mlp, generator));
}

CausalSelfAttention& GptBlock::attention() {
  if (auto* const attention = dynamic_cast<CausalSelfAttention*>(attn_->get())) return *attention;
  throw Error(fmt::format("GptBlock: attn is a {}, expected CausalSelfAttention", (*attn_)->type_name()));
}

Tensor GptBlock::Finish(const Tensor& x, const Tensor& attended) {
  const Tensor h = Add(x, attended);
  Tensor y = Add(h, (*mlp_)->Forward((*ln_2_)->Forward(h)));
  ObserveBlock(*this, x, y);
  return y;
}

Tensor GptBlock::Forward(const Tensor& x) { return Finish(x, (*attn_)->Forward((*ln_1_)->Forward(x))); }

Tensor GptBlock::Forward(const Tensor& x, KeyValueCache& cache, size_t layer) {
  return Finish(x, attention().Forward((*ln_1_)->Forward(x), cache, layer));
}

}  // namespace twofour::nn
