#include "twofour/nn/causal_self_attention.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

#include "twofour/core/autograd.h"
#include "twofour/core/error.h"
#include "twofour/core/ops/attention.h"
#include "twofour/core/ops/cast.h"
#include "twofour/core/ops/check.h"
#include "twofour/core/ops/layout.h"
#include "twofour/core/ops/norm.h"
#include "twofour/core/ops/rotary.h"
#include "twofour/nn/linear.h"

namespace twofour::nn {
namespace {

CausalSelfAttentionOptions Resolved(CausalSelfAttentionOptions options) {
  Checked(options, "CausalSelfAttention: ");
  if (options.kv_heads == 0) options.kv_heads = options.heads;
  if (options.head_features == 0) options.head_features = options.width / options.heads;
  return options;
}

/// Writes rows [batch, T, ...] into positions [at, at + T) of [batch, capacity, ...], in the dtype of the latter.
void WriteRows(const Tensor& any_rows, Tensor& cache, int64_t at) {
  const Tensor rows = Cast(any_rows, cache.dtype());
  const int64_t batch = rows.dim(0), length = rows.dim(1), capacity = cache.dim(1);
  const int64_t width = rows.dim(2) * rows.dim(3) * static_cast<int64_t>(SizeOf(rows.dtype()));  // In bytes.
  const std::byte* source = rows.raw();
  std::byte* target = cache.mutable_raw() + at * width;
  for (int64_t b = 0; b < batch; ++b) {
    std::copy_n(source + b * length * width, length * width, target + b * capacity * width);
  }
}

/// Throws Error unless keys and values are f32, or both of the dtype of x, which is of 16 bits.
void RequireCacheDTypes(const Tensor& x, const Tensor& keys, const Tensor& values) {
  const DType dtype = keys.defined() && keys.dtype() == x.dtype() ? x.dtype() : DType::kF32;
  ops::RequireDType("CausalSelfAttention", "the cache's keys", keys, dtype);
  ops::RequireDType("CausalSelfAttention", "the cache's values", values, dtype);
}

}  // namespace

void CheckHeads(int64_t width, int64_t heads, const FieldPath& at, Faults& faults) {
  if (width % heads != 0) {
    return faults.Expect(false, at("heads"), heads, fmt::format("a divisor of the width, which is {}", width));
  }
  faults.Expect(
      width / heads % 2 == 0, at("heads"), heads,
      fmt::format("width / heads = {} / {} to be even: rotary positions turn pairs", width, heads),
      fmt::format("the head size (width / heads) is {}, expected an even number: rotary embeddings turn pairs",
                  width / heads));
}

void CheckHeadFeatures(int64_t heads, int64_t head_features, const FieldPath& at, Faults& faults) {
  faults.Expect(head_features % 2 == 0, at("head_features"), head_features,
                "an even number: rotary positions turn pairs");
  faults.Expect(heads <= kMaxFeatures / head_features, at("heads"), heads,
                fmt::format("at most {} with {} features each", kMaxFeatures / head_features, head_features));
}

void CheckKeyHeads(int64_t heads, int64_t kv_heads, const FieldPath& at, Faults& faults) {
  faults.Expect(kv_heads >= 1 && heads % kv_heads == 0, at("kv_heads"), kv_heads,
                fmt::format("a divisor of heads, which is {}", heads));
}

void Check(const CausalSelfAttentionOptions& options, const FieldPath& at, Faults& faults) {
  faults.Expect(options.width > 0, at("width"), options.width, "a positive number");
  faults.Expect(options.heads > 0, at("heads"), options.heads, "a positive number");
  faults.InRange(at("head_features"), options.head_features, 0, kMaxFeatures);
  if (faults.IsSound(at("width")) && faults.IsSound(at("heads")) && faults.IsSound(at("head_features"))) {
    if (options.head_features == 0) {
      CheckHeads(options.width, options.heads, at, faults);
    } else {
      CheckHeadFeatures(options.heads, options.head_features, at, faults);
    }
  }
  if (faults.IsSound(at("heads"))) {
    CheckKeyHeads(options.heads, options.kv_heads == 0 ? options.heads : options.kv_heads, at, faults);
  }
  faults.Expect(options.window >= 0, at("window"), options.window, "at least 0");
  Check(options.rotary_options, at.In("rotary_options"), faults);
}

CausalSelfAttention::CausalSelfAttention(const CausalSelfAttentionOptions& options, Generator& generator)
    : options_(Resolved(options)) {
  const auto linear = [&](const char* name, int64_t in, int64_t out, LinearInit init) {
    return &RegisterModule(
        name,
        std::make_unique<Linear>(
            LinearOptions{.in_features = in, .out_features = out, .bias = options_.bias, .init = init}, generator));
  };
  c_q_ = linear("c_q", options_.width, options_.heads * head_size(), options_.init);
  c_k_ = linear("c_k", options_.width, options_.kv_heads * head_size(), options_.init);
  c_v_ = linear("c_v", options_.width, options_.kv_heads * head_size(), options_.init);
  c_proj_ = linear("c_proj", options_.heads * head_size(), options_.width, options_.c_proj_init);
}

Tensor CausalSelfAttention::Project(ModuleSlot& c, const Tensor& x, int64_t heads) {
  return Reshape(c->Forward(x), {x.dim(0), x.dim(1), heads, head_size()});
}

Tensor CausalSelfAttention::WithPosition(const Tensor& x, int64_t first_position) {
  const Tensor turned = options_.rotary ? Rotary(x, options_.rotary_options, first_position) : x;
  return options_.query_key_norm ? ops::RmsNorm(turned) : turned;
}

Tensor CausalSelfAttention::Merge(const Tensor& y) {
  return (*c_proj_)->Forward(Reshape(y, {y.dim(0), y.dim(1), options_.heads * head_size()}));
}

void CausalSelfAttention::RequireSequences(const Tensor& x) const {
  ops::RequireFloating("CausalSelfAttention", "x", x);
  if (x.rank() == 3 && x.dim(2) == options_.width) return;
  throw Error(fmt::format("CausalSelfAttention: x {}, expected [batch, T, {}]", ToString(x.shape()), options_.width));
}

Tensor CausalSelfAttention::Forward(const Tensor& x) {
  RequireSequences(x);
  const Tensor q = WithPosition(Project(*c_q_, x, options_.heads), 0);
  const Tensor k = WithPosition(Project(*c_k_, x, options_.kv_heads), 0);
  const Tensor v = Project(*c_v_, x, options_.kv_heads);
  return Merge(CausalAttention(q, k, v, {.window = options_.window}));
}

Tensor CausalSelfAttention::Forward(const Tensor& x, KeyValueCache& cache, size_t layer) {
  RequireSequences(x);
  const Shape shape{x.dim(0), cache.capacity, options_.kv_heads, head_size()};
  const auto has_shape = [&](const Tensor& tensor) { return !tensor.defined() || tensor.shape() == shape; };
  if (layer >= cache.layers.size() || !has_shape(cache.layers[layer].keys) || !has_shape(cache.layers[layer].values) ||
      cache.first < 0 || cache.rows() < 0 || x.dim(1) > cache.capacity - cache.rows()) {
    throw Error(
        fmt::format("CausalSelfAttention: x {} does not fit into a cache of {} layers for {} tokens that holds {}{}",
                    ToString(x.shape()), cache.layers.size(), cache.capacity, cache.rows(),
                    layer < cache.layers.size() ? fmt::format("; keys of layer {}: {}, expected {}", layer,
                                                              Describe(cache.layers[layer].keys), ToString(shape))
                                                : ""));
  }
  const NoGradGuard no_grad;
  auto& [keys, values] = cache.layers[layer];
  RequireCacheDTypes(x, keys, values);
  const Tensor q = Cast(WithPosition(Project(*c_q_, x, options_.heads), cache.length), keys.dtype());
  WriteRows(WithPosition(Project(*c_k_, x, options_.kv_heads), cache.length), keys, cache.rows());
  WriteRows(Project(*c_v_, x, options_.kv_heads), values, cache.rows());
  const Tensor y = CausalAttention(q, keys, values, {.window = options_.window, .keys = cache.rows() + x.dim(1)});
  return Merge(Cast(y, x.dtype()));
}

}  // namespace twofour::nn
